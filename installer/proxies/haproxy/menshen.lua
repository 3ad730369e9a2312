-- Menshen: asks the PDP about each request, for HAProxy 2.6 or later.
--
-- lua.menshen-ask   decides a request: sets txn.menshen to "allowed" and the
--                   identity headers, or answers with what the PDP has to say,
--                   or leaves txn.menshen unset, which the configuration
--                   answers as unavailable
-- lua.menshen-own   readies a request for /.menshen/, which goes to the PDP
--
-- Beside them it waits for the PDP to name connections that outlive their
-- requests (WebSockets) and are to be cut, and cuts them.
--
-- It is loaded once (lua-load): all threads share what it remembers.

local ask_at, cut_at = os.getenv("MENSHEN_ASK"), os.getenv("MENSHEN_CUT")
local longest_silence = tonumber(os.getenv("MENSHEN_SILENCE"))
local upgraded_backend, upgraded_server = "portal_upgraded", "application"

-- Each is set on every request that passes, empty where the PDP says nothing,
-- so that a client's own never arrive.
local identity = {
    "menshen-token", "menshen-subject", "menshen-account", "menshen-agency",
    "menshen-name", "menshen-device", "menshen-access", "menshen-decision",
}

-- What a client says of the method, the address or itself is not passed on:
-- some application would believe it.
local dropped = {
    ["connection"] = true, ["proxy-connection"] = true, ["keep-alive"] = true, ["upgrade"] = true,
    ["forwarded"] = true, ["x-real-ip"] = true, ["x-rewrite-url"] = true, ["x-script-name"] = true,
    ["x-http-method"] = true, ["x-http-method-override"] = true, ["x-method-override"] = true,
}
local dropped_beginnings = { "^menshen%-", "^x%-menshen%-", "^x%-original%-", "^x%-forwarded%-" }

-- What the PDP gets of a client's headers at /.menshen/.
local passed = {
    ["host"] = true, ["content-length"] = true, ["content-type"] = true, ["transfer-encoding"] = true,
    ["accept"] = true, ["accept-language"] = true, ["if-none-match"] = true,
    ["origin"] = true, ["referer"] = true, ["sec-fetch-mode"] = true, ["sec-fetch-site"] = true,
}

-- What a browser gets of an answer of the PDP's.
local answered = {
    "cache-control", "content-language", "content-security-policy", "content-type", "location", "menshen-decision",
    "referrer-policy", "retry-after", "set-cookie", "vary", "www-authenticate", "x-content-type-options",
}

local function first(headers, name)
    local values = headers[name]
    return values and values[0] or ""
end

-- all returns a header's values, of which HAProxy counts the first as 0.
local function all(headers, name)
    local list, values = {}, headers[name]
    if values then
        for i = 0, #values do list[#list + 1] = values[i] end
    end
    return list
end

-- cookies parts a request's cookies into Menshen's and the application's.
local function cookies(headers)
    local ours, theirs = {}, {}
    for pair in table.concat(all(headers, "cookie"), ";"):gmatch("[^;]+") do
        pair = pair:match("^%s*(.-)%s*$")
        if pair:find("__Host-menshen-", 1, true) then
            ours[#ours + 1] = pair
        elseif pair ~= "" then
            theirs[#theirs + 1] = pair
        end
    end
    return table.concat(ours, "; "), table.concat(theirs, "; ")
end

local function websocket(headers)
    return first(headers, "upgrade"):lower() == "websocket" and headers["upgrade"][1] == nil
end

-- question is what the PDP is told of a request; name is of a connection that is
-- to outlive it.
local function question(txn, headers, ours, name)
    return {
        ["host"] = { txn:get_var("txn.menshen_host") },
        ["menshen-portal-secret"] = { txn:get_var("txn.menshen_secret") },
        ["x-forwarded-method"] = { txn.f:method() },
        ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-host"] = { txn:get_var("txn.menshen_host") },
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-menshen-connection"] = name and { name } or nil,
        ["x-original-upgrade"] = headers["upgrade"] and { table.concat(all(headers, "upgrade"), ", ") } or nil,
        ["accept"] = { first(headers, "accept") },
        ["accept-language"] = { first(headers, "accept-language") },
        ["sec-fetch-mode"] = { first(headers, "sec-fetch-mode") },
        ["referer"] = { first(headers, "referer") },
        ["authorization"] = headers["authorization"] and all(headers, "authorization") or nil,
        ["cookie"] = { ours },
    }
end

-- Connections that were let through as a WebSocket: the client's address and
-- port, by the name that the PDP knows.
local open = {}

-- pass readies an allowed request for the application.
local function pass(txn, headers, theirs, answer)
    local http, upgrade = txn.http, websocket(headers)
    for name in pairs(headers) do
        local drop = dropped[name] or name:find("[^%w%-]") ~= nil
        for _, beginning in ipairs(dropped_beginnings) do
            drop = drop or name:find(beginning) ~= nil
        end
        if drop then http:req_del_header(name) end
    end
    if upgrade then
        http:req_set_header("connection", "upgrade")
        http:req_set_header("upgrade", "websocket")
    end
    if theirs == "" then
        http:req_del_header("cookie")
    else
        http:req_set_header("cookie", theirs)
    end
    for _, name in ipairs(identity) do
        http:req_set_header(name, first(answer.headers, name))
    end
    local host = txn:get_var("txn.menshen_host")
    http:req_set_header("host", host)
    http:req_set_header("x-forwarded-host", host)
    http:req_set_header("x-forwarded-proto", "https")
    http:req_set_header("x-forwarded-for", txn.f:src())
    http:req_set_header("x-real-ip", txn.f:src())
    txn:set_var("txn.menshen", "allowed")
end

-- refuse hands the PDP's answer on to the browser: where to sign in, what is
-- not met, or that the request was not sent.
local function refuse(txn, answer)
    local reply = txn:reply { status = answer.status }
    for _, name in ipairs(answered) do
        for _, value in ipairs(all(answer.headers, name)) do reply:add_header(name, value) end
    end
    reply:set_body(answer.body or "")
    txn:done(reply)
end

core.register_action("menshen-ask", { "http-req" }, function(txn)
    local headers = txn.http:req_get_headers()
    local ours, theirs = cookies(headers)
    local name = websocket(headers) and txn.f:uuid() or nil
    if name then open[name] = txn.f:src() .. ":" .. txn.f:src_port() end
    local answer = core.httpclient():get { url = "http://menshen/forward-auth/relay", headers = question(txn, headers, ours, name), dst = ask_at }
    local allowed = answer.status == 200 and first(answer.headers, "menshen-decision") ~= ""
    if name and not allowed then open[name] = nil end
    if allowed then
        if name then txn:set_var("txn.menshen_connection", name) end
        pass(txn, headers, theirs, answer)
    elseif answer.status == 303 or (answer.status >= 400 and answer.status < 500) then
        refuse(txn, answer)
    end
end, 0)

core.register_action("menshen-own", { "http-req" }, function(txn)
    local http, headers = txn.http, txn.http:req_get_headers()
    local ours = cookies(headers)
    for name in pairs(headers) do
        if not passed[name] then http:req_del_header(name) end
    end
    http:req_set_header("host", txn:get_var("txn.menshen_host"))
    http:req_set_header("menshen-portal-secret", txn:get_var("txn.menshen_secret"))
    http:req_set_header("x-original-method", txn.f:method())
    http:req_set_header("x-original-uri", txn.f:pathq())
    http:req_set_header("x-real-ip", txn.f:src())
    http:req_set_header("cookie", ours)
end, 0)

-- command gives a command to HAProxy itself and returns the lines of its answer.
local function command(text)
    local lines, runtime = {}, core.tcp()
    runtime:settimeout(10)
    if not runtime:connect(cut_at) then error("the runtime API is not there: " .. cut_at) end
    runtime:send(text .. "\n")
    for line in function() return runtime:receive("*l") end do lines[#lines + 1] = line end
    runtime:close()
    return lines
end

-- sessions returns what is open now: for each client's address and port the
-- upgraded one's handle, or false where none is.
local function sessions()
    local list = {}
    for _, line in ipairs(command("show sess")) do
        local handle, source, backend = line:match("^(0x%x+):.* src=(%S+) fe=%S+ be=(%S+)")
        if source then list[source] = backend == upgraded_backend and handle or list[source] or false end
    end
    return list
end

-- cut ends the named connections. One that is still being let through is not
-- among the upgraded ones yet, and is looked for again.
local function cut(names)
    for _ = 1, 20 do
        local left, now = {}, sessions()
        for _, name in ipairs(names) do
            local handle = open[name] and now[open[name]]
            if handle then command("shutdown session " .. handle) end
            if handle == false then left[#left + 1] = name else open[name] = nil end
        end
        if #left == 0 then return end
        names = left
        core.msleep(100)
    end
end

local function cut_all()
    command("shutdown sessions server " .. upgraded_backend .. "/" .. upgraded_server)
    open = {}
end

-- forget drops the names of connections that have ended by themselves.
local function forget()
    if next(open) == nil then return end
    local now = sessions()
    for name, source in pairs(open) do
        if now[source] == nil then open[name] = nil end
    end
end

-- wait asks the PDP for what is to be cut after what is known, and cuts it.
local function wait(host, secret, known)
    local answer = core.httpclient():get {
        url = "http://menshen/connections/ended?epoch=" .. known.epoch .. "&after=" .. known.number,
        headers = { ["host"] = { host }, ["menshen-portal-secret"] = { secret } }, dst = ask_at, timeout = 40000,
    }
    local number, epoch = tonumber(first(answer.headers, "menshen-next")), first(answer.headers, "menshen-epoch")
    if answer.status ~= 200 or not number or not epoch:find("^%w+$") then error("the PDP answers " .. tostring(answer.status)) end
    local names = {}
    for name in (answer.body or ""):gmatch("[^\n]+") do names[#names + 1] = name end
    if first(answer.headers, "menshen-all") ~= "" then
        cut_all()
    elseif #names > 0 then
        cut(names)
    else
        forget()
    end
    known.epoch, known.number = epoch, number
end

-- keep_cutting waits again and again. While the PDP cannot be asked nobody knows
-- what is to be cut: after a while that is all.
local function keep_cutting(host, secret)
    local known, heard, silent = { epoch = "", number = 0 }, core.now().sec, false
    while true do
        local ok, why = pcall(wait, host, secret, known)
        local now = core.now().sec
        if ok then
            heard, silent = now, false
        else
            if now - heard >= longest_silence and not silent then
                core.Warning("menshen: the PDP does not say which connections to cut (" .. tostring(why) .. "), so all upgraded ones are")
                silent = pcall(cut_all)
            end
            core.sleep(1)
        end
    end
end

-- Each portal's proxy is told of its own connections alone.
for line in io.lines(os.getenv("MENSHEN_SECRETS")) do
    local host, secret = line:match("^%s*([^#%s]%S*)%s+(%S+)")
    if host then
        core.register_task(function() keep_cutting(host, secret) end)
    end
end
