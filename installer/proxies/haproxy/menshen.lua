-- Menshen: asks the PDP about each request, for HAProxy 2.6 or later.
--
-- lua.menshen-ask   decides a request: sets txn.menshen to "allowed" and the
--                   identity headers, or answers with what the PDP has to say,
--                   or leaves txn.menshen unset, which the configuration
--                   answers as unavailable
-- lua.menshen-own   readies a request for /.menshen/, which goes to the PDP
--
-- It is loaded once (lua-load): all threads share what it remembers.

local ask_at = os.getenv("MENSHEN_ASK")

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
    ["forwarded"] = true, ["x-real-ip"] = true, ["x-rewrite-url"] = true,
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

-- question is what the PDP is told of a request.
local function question(txn, headers, ours)
    return {
        ["host"] = { txn:get_var("txn.menshen_host") },
        ["menshen-portal-secret"] = { txn:get_var("txn.menshen_secret") },
        ["x-forwarded-method"] = { txn.f:method() },
        ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-host"] = { txn:get_var("txn.menshen_host") },
        ["x-forwarded-for"] = { txn.f:src() },
        ["x-original-upgrade"] = headers["upgrade"] and { table.concat(all(headers, "upgrade"), ", ") } or nil,
        ["accept"] = { first(headers, "accept") },
        ["accept-language"] = { first(headers, "accept-language") },
        ["sec-fetch-mode"] = { first(headers, "sec-fetch-mode") },
        ["referer"] = { first(headers, "referer") },
        ["cookie"] = { ours },
    }
end

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
    local answer = core.httpclient():get { url = "http://menshen/forward-auth/relay", headers = question(txn, headers, ours), dst = ask_at }
    if answer.status == 200 and first(answer.headers, "menshen-decision") ~= "" then
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
