-- Menshen: asks the PDP about each request, for Apache httpd 2.4 with mod_lua.
--
-- No module of httpd's makes a request of its own and reads the answer, and
-- mod_lua has no way to start one; so the question goes over a TLS connection
-- of LuaSec's, which is kept with this Lua state. It holds up one worker thread
-- for as long as the PDP takes, as a subrequest would.
--
-- decide is run for every request (LuaHookFixups). It readies an allowed one for
-- the application, or answers by itself, with what the PDP has to say or with
-- the page of its absence: then nothing goes any further.

local socket = require "socket"
local ssl = require "ssl"

local pdp = {
    host = "localhost", -- a name from proxies.names in the PDP's configuration
    port = 8445,
    ca = "/etc/menshen/pdp-ca.pem",
    patience = 10, -- seconds
}
local largest_answer = 4 * 1024 * 1024
local largest_body = 16 * 1024

local function contents(name)
    local file = assert(io.open("/etc/menshen/unavailable/" .. name, "rb"))
    local text = file:read("a")
    file:close()
    return text
end
local unavailable_page, unavailable_problem = contents("unavailable.html"), contents("unavailable.json")

-- Each is set on every request that passes, empty where the PDP says nothing,
-- so that a client's own never arrive.
local identity = {
    "Menshen-Token", "Menshen-Subject", "Menshen-Account", "Menshen-Agency",
    "Menshen-Name", "Menshen-Device", "Menshen-Access", "Menshen-Decision",
}

-- What a client says of the method, the address or itself is not passed on:
-- some application would believe it. What Connection names would be taken for
-- this hop's own and thrown away, ours too.
local dropped = {
    ["connection"] = true, ["proxy-connection"] = true, ["keep-alive"] = true, ["upgrade"] = true,
    ["forwarded"] = true, ["x-real-ip"] = true, ["x-rewrite-url"] = true, ["x-script-name"] = true,
    ["x-http-method"] = true, ["x-http-method-override"] = true, ["x-method-override"] = true,
}
local dropped_beginnings = { "^menshen%-", "^x%-menshen%-", "^x%-original%-", "^x%-forwarded%-" }

-- What the PDP gets of a client's headers.
local told = { "Accept", "Accept-Language", "Authorization", "Referer", "Sec-Fetch-Mode" }
local told_at_its_own = { "Content-Type", "If-None-Match", "Origin", "Sec-Fetch-Site" }

-- What a browser gets of an answer of the PDP's.
local answered = {
    ["allow"] = true, ["cache-control"] = true, ["content-language"] = true, ["content-security-policy"] = true,
    ["etag"] = true, ["location"] = true, ["menshen-decision"] = true, ["permissions-policy"] = true,
    ["referrer-policy"] = true, ["retry-after"] = true, ["vary"] = true, ["www-authenticate"] = true,
    ["cross-origin-opener-policy"] = true, ["cross-origin-resource-policy"] = true, ["x-content-type-options"] = true,
    ["x-frame-options"] = true,
}

local context -- of TLS, made once in each Lua state
local kept -- the connection to the PDP

-- named reports whether a certificate is for the PDP's name: LuaSec verifies
-- the chain alone.
local function named(certificate)
    local names = certificate and certificate:extensions()["2.5.29.17"]
    for _, name in ipairs(names and names.dNSName or {}) do
        if name:lower() == pdp.host then return true end
    end
    return false
end

local function connect()
    context = context or assert(ssl.newcontext { mode = "client", protocol = "tlsv1_3", cafile = pdp.ca, verify = "peer", options = "all" })
    local plain = assert(socket.connect(pdp.host, pdp.port))
    local connection = assert(ssl.wrap(plain, context))
    connection:settimeout(pdp.patience, "t")
    connection:sni(pdp.host)
    assert(connection:dohandshake())
    if not named(connection:getpeercertificate()) then
        connection:close()
        error("the PDP's certificate is for another name")
    end
    return connection
end

-- receive_body reads what belongs to an answer (RFC 9112, 6.3).
local function receive_body(connection, method, status, headers)
    if method == "HEAD" or status == 204 or status == 304 then return "" end
    local length = headers["content-length"]
    if headers["transfer-encoding"] == "chunked" then
        local parts, size = {}, 0
        while true do
            local n = tonumber((assert(connection:receive("*l"))):match("^%x+"), 16)
            size = size + n
            assert(size <= largest_answer, "too long an answer")
            if n > 0 then parts[#parts + 1] = assert(connection:receive(n)) end
            assert(connection:receive("*l"))
            if n == 0 then return table.concat(parts) end
        end
    end
    local n = tonumber(length)
    assert(n and n <= largest_answer, "an answer of no known length")
    return n > 0 and assert(connection:receive(n)) or ""
end

-- receive reads an answer: its status, its headers (of several with one name
-- the last), its cookies and its body.
local function receive(connection, method)
    local line = assert(connection:receive("*l"))
    local status = tonumber(line:match("^HTTP/1%.1 (%d%d%d) "))
    assert(status and status >= 200, "no answer of HTTP")
    local headers, cookies, size = {}, {}, 0
    while true do
        line = assert(connection:receive("*l"))
        if line == "" then break end
        size = size + #line
        assert(size <= 65536, "too long a head")
        local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
        assert(name, "no header")
        name = name:lower()
        if name == "set-cookie" then cookies[#cookies + 1] = value end
        headers[name] = value
    end
    return { status = status, headers = headers, cookies = cookies, body = receive_body(connection, method, status, headers) }
end

-- exchange sends a request over a connection and reads the answer.
local function exchange(connection, method, path, headers, body)
    connection:settimeout(pdp.patience, "t")
    local lines = { method .. " " .. path .. " HTTP/1.1" }
    for name, value in pairs(headers) do
        assert(not value:find("[\r\n%z]"), "a line end in a header")
        lines[#lines + 1] = name .. ": " .. value
    end
    lines[#lines + 1] = "Content-Length: " .. #body
    lines[#lines + 1] = "\r\n" .. body
    assert(connection:send(table.concat(lines, "\r\n")))
    return receive(connection, method)
end

-- ask makes a request of the PDP. A question may be asked again when the PDP
-- has closed the connection that was kept; what changes something goes over a
-- new one, and once.
local function ask(method, path, headers, body)
    local connection, again = kept, method == "GET"
    kept = nil
    if connection and not again then
        connection:close()
        connection = nil
    end
    local ok, answer
    if connection then
        ok, answer = pcall(exchange, connection, method, path, headers, body)
        if not ok then connection:close() end
    end
    if not ok and not (connection and tostring(answer):find("timeout")) then
        connection = connect()
        ok, answer = pcall(exchange, connection, method, path, headers, body)
    end
    if not ok then
        connection:close()
        error(answer, 0)
    end
    if answer.headers["connection"] == "close" then connection:close() else kept = connection end
    return answer
end

-- cookies parts a request's cookies into Menshen's and the application's.
local function cookies(line)
    local ours, theirs = {}, {}
    for pair in (line or ""):gmatch("[^;]+") do
        pair = pair:match("^%s*(.-)%s*$")
        if pair:find("__Host-menshen-", 1, true) then
            for own in pair:gmatch("__Host%-menshen%-%l+=[%w_-]+") do ours[#ours + 1] = own end
        elseif pair ~= "" then
            theirs[#theirs + 1] = pair
        end
    end
    return table.concat(ours, "; "), table.concat(theirs, "; ")
end

-- question is what the PDP is told of a request.
local function question(r, ours, prefix, names)
    local headers = {
        ["Host"] = r.server_name,
        ["Menshen-Portal-Secret"] = r.subprocess_env["menshen_secret"] or "",
        [prefix .. "-Method"] = r.method,
        [prefix .. "-URI"] = r.unparsed_uri,
        ["Cookie"] = ours,
    }
    for _, list in ipairs(names) do
        for _, name in ipairs(list) do headers[name] = r.headers_in[name] end
    end
    return headers
end

-- unavailable answers that the PDP cannot be asked, so that nothing passes.
local function unavailable(r)
    local mode = r.headers_in["Sec-Fetch-Mode"]
    local page = mode == nil or mode == "navigate"
    r.status = 503
    r.content_type = page and "text/html; charset=utf-8" or "application/problem+json"
    r.headers_out["Cache-Control"] = "no-store"
    r.headers_out["X-Content-Type-Options"] = "nosniff"
    if page then
        r.headers_out["Content-Security-Policy"] = "default-src 'none'; style-src 'sha256-bZ/PefTn4X2pwUkdrjd3VaGoDYk4H2e86PnXURdvOoI='; frame-ancestors 'none'"
    end
    r:write(page and unavailable_page or unavailable_problem)
    return apache2.DONE
end

-- hand_on gives the browser an answer of the PDP's.
local function hand_on(r, answer)
    if #answer.cookies > 2 then return unavailable(r) end -- one in each table is what Lua can set
    r.status = answer.status
    r.content_type = answer.headers["content-type"] or ""
    for name, value in pairs(answer.headers) do
        if answered[name] then r.headers_out[name] = value end
    end
    r.headers_out["Set-Cookie"], r.err_headers_out["Set-Cookie"] = answer.cookies[1], answer.cookies[2]
    r:write(answer.body)
    return apache2.DONE
end

-- own passes a request for /.menshen/ to the PDP.
local function own(r)
    local length, body = tonumber(r.headers_in["Content-Length"] or "0") or 0, ""
    if r.method ~= "GET" and r.method ~= "HEAD" and r.method ~= "POST" then return 405 end
    if r.headers_in["Transfer-Encoding"] then return 411 end
    if length > largest_body then return 413 end
    if length > 0 then body = r:requestbody() or "" end
    if #body ~= length then return 400 end
    local headers = question(r, (cookies(r.headers_in["Cookie"])), "X-Original", { told, told_at_its_own })
    headers["X-Real-IP"] = r.useragent_ip
    return hand_on(r, ask(r.method, r.unparsed_uri, headers, body))
end

-- pass readies an allowed request for the application.
local function pass(r, upgrade, theirs, answer)
    local closing = (r.headers_in["Connection"] or ""):lower():find("close", 1, true)
    local names = {}
    for name in pairs(r:headers_in_table()) do names[#names + 1] = name end
    for _, name in ipairs(names) do
        local lower = name:lower()
        local drop = dropped[lower] or lower:find("[^%w%-]") ~= nil
        for _, beginning in ipairs(dropped_beginnings) do
            drop = drop or lower:find(beginning) ~= nil
        end
        if drop then r.headers_in[name] = nil end
    end
    if upgrade == "websocket" then
        r.headers_in["Upgrade"], r.headers_in["Connection"] = "websocket", "Upgrade"
    elseif closing then
        r.headers_in["Connection"] = "close"
    end
    r.headers_in["Cookie"] = theirs ~= "" and theirs or nil
    for _, name in ipairs(identity) do r.headers_in[name] = answer.headers[name:lower()] or "" end
    r.headers_in["Host"] = r.server_name
    r.headers_in["X-Forwarded-Host"] = r.server_name
    r.headers_in["X-Forwarded-Proto"] = "https"
    r.headers_in["X-Forwarded-For"] = r.useragent_ip
    r.headers_in["X-Real-IP"] = r.useragent_ip
    return apache2.OK
end

local function decided(r)
    local address = r.unparsed_uri
    if address:sub(1, 1) ~= "/" or r.method == "CONNECT" then return 400 end
    if address:sub(1, 2) == "//" then return 400 end -- mod_proxy would pass it on with one
    if address:sub(1, 10) == "/.menshen/" then return own(r) end
    local ours, theirs = cookies(r.headers_in["Cookie"])
    local headers = question(r, ours, "X-Forwarded", { told })
    local upgrade = r.headers_in["Upgrade"]
    headers["X-Forwarded-Host"] = r.server_name
    headers["X-Forwarded-For"] = r.useragent_ip
    headers["X-Original-Upgrade"] = upgrade
    local answer = ask("GET", "/forward-auth/relay", headers, "")
    if answer.status == 200 and (answer.headers["menshen-decision"] or "") ~= "" then
        return pass(r, upgrade and upgrade:lower(), theirs, answer)
    elseif answer.status == 303 or (answer.status >= 400 and answer.status < 500) then
        return hand_on(r, answer)
    end
    return unavailable(r)
end

function decide(r)
    local ok, result = pcall(decided, r)
    if ok then return result end
    r:err("menshen: " .. tostring(result))
    return unavailable(r)
end
