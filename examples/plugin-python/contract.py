"""Menshen's inference contract, version 2, for a plugin in Python.

serve() speaks hashicorp/go-plugin's handshake and gRPC on a Unix socket in the
folder that the host names. There is no TLS: the folder is the plugin's alone,
and the host asks the kernel which process listens there.

It refuses what is out of the contract's bounds before the plugin sees it, and
teaches only the kinds that the plugin asks for. Calls come one at a time.
Needs Debian's python3-grpcio and python3-protobuf.
"""

import json
import os
import secrets
import sys
import tempfile
import threading
from concurrent import futures

import grpc

import inference_v2_pb2 as pb

VERSION = "2"
COOKIE = ("MENSHEN_INFERENCE_PLUGIN", "7d1f2a3c5f0b4e8f9c6d")
MAX_BATCH, MAX_MESSAGE, MAX_STATE, PIECE = 512, 1 << 20, 64 << 20, 256 << 10
MAX_TEXT, MAX_FILE, MAX_CLAIMS, MAX_FILES = 256, 64, 256, 4096
TTL_NANOS = 10 * 60 * 10**9
SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse


def say(llr, confidence, code, **args):
    """A verdict of llr nats with a confidence of 0 to 1, and why."""
    return pb.Verdict(llr=llr, confidence=confidence, ttl_nanos=TTL_NANOS, reasons=[reason(code, args)])


def abstain(code, **args):
    """The verdict of a plugin that has nothing to say, and why."""
    return pb.Verdict(abstained=True, ttl_nanos=TTL_NANOS, reasons=[reason(code, args)])


def reason(code, args):
    return pb.Reason(code=code, args={name: str(value) for name, value in args.items()})


def settings(defaults):
    """What the operator set, over the defaults; an unknown setting is an error."""
    given = json.loads(os.environ.get("MENSHEN_INFERENCE_SETTINGS", "") or "{}")
    unknown = set(given) - set(defaults)
    if unknown:
        raise ValueError(f"unknown settings: {sorted(unknown)}")
    return {**defaults, **given}


def check(o):
    """Raises ValueError for an observation that is out of bounds."""
    texts = [o.person, o.group, o.device, o.network, o.address, o.portal, o.grade]
    texts += [text for claim in o.posture for text in (claim.id, claim.state)]
    if not o.person:
        raise ValueError("no person")
    if any(len(t.encode()) > MAX_TEXT for t in texts) or any(len(f.encode()) > MAX_FILE for f in o.files):
        raise ValueError("text too long")
    if len(o.posture) > MAX_CLAIMS or len(o.files) > MAX_FILES:
        raise ValueError("too much in one observation")


class Service:
    """The contract's calls, to a plugin of plain methods."""

    def __init__(self, plugin):
        self.plugin, self.lock = plugin, threading.Lock()
        self.description = plugin.describe()
        self.kinds = set(self.description.kinds) - {pb.KIND_SITUATION}

    def describe(self, _request, _context):
        return self.description

    def teach(self, batch):
        if len(batch) > MAX_BATCH:
            raise ValueError("batch too large")
        for o in batch:
            check(o)
        return self.plugin.observe([o for o in batch if o.kind in self.kinds])

    def observe(self, requests, _context):
        learned = 0
        for request in requests:
            with self.lock:
                learned += self.teach(request.observations)
        return pb.ObserveReply(learned=learned)

    def assess(self, request, _context):
        check(request.observation)
        with self.lock:
            return self.plugin.assess(request.observation)

    def rehearse(self, requests, context):
        for request in requests:
            verdict = self.assess(request, context)
            with self.lock:
                self.teach([request.observation])
            yield verdict

    def learn(self, request, _context):
        check(request.observation)
        with self.lock:
            return pb.LearnReply(learned=self.plugin.learn(request.observation, request.genuine))

    def forget(self, request, _context):
        with self.lock:
            self.plugin.forget(request.person)
        return pb.ForgetReply()

    def export(self, _request, _context):
        with self.lock:
            state = self.plugin.export()
        for start in range(0, len(state), PIECE):
            yield pb.State(piece=state[start : start + PIECE])

    def take(self, pieces, _context):
        state = bytearray()
        for piece in pieces:
            state += piece.piece
            if len(state) > MAX_STATE:
                raise ValueError("state too large")
        with self.lock:
            self.plugin.take(bytes(state))
        return pb.ImportReply()

    def health(self, _request, _context):
        return pb.HealthReply(ready=self.plugin.ready())

    def handler(self):
        one, up, down, both = (
            grpc.unary_unary_rpc_method_handler,
            grpc.stream_unary_rpc_method_handler,
            grpc.unary_stream_rpc_method_handler,
            grpc.stream_stream_rpc_method_handler,
        )

        def method(kind, call, request):
            return kind(call, request.FromString, lambda answer: answer.SerializeToString())

        calls = {
            "Describe": method(one, self.describe, pb.DescribeRequest),
            "Observe": method(up, self.observe, pb.ObserveRequest),
            "Assess": method(one, self.assess, pb.AssessRequest),
            "Rehearse": method(both, self.rehearse, pb.AssessRequest),
            "Learn": method(one, self.learn, pb.Feedback),
            "Forget": method(one, self.forget, pb.ForgetRequest),
            "Export": method(down, self.export, pb.ExportRequest),
            "Import": method(up, self.take, pb.State),
            "Health": method(one, self.health, pb.HealthRequest),
        }
        return grpc.method_handlers_generic_handler("menshen.inference.v2.Inference", calls)


def own_services(ended):
    """What go-plugin asks of every plugin: a pulse, and an end."""

    def shut_down(_request, _context):
        ended.set()
        return b""

    def raw(call):
        return grpc.unary_unary_rpc_method_handler(call)

    return (
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": raw(lambda _r, _c: SERVING)}),
        grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": raw(shut_down)}),
    )


def serve(plugin):
    """Runs the plugin until its host goes away."""
    if os.environ.get(COOKIE[0]) != COOKIE[1] or VERSION not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "").split(","):
        sys.exit("This program is an inference plugin; a PDP that speaks version 2 of the contract starts it.")
    folder = os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.mkdtemp(prefix="plugin")
    path = os.path.join(folder, "plugin" + secrets.token_hex(4))
    ended = threading.Event()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        handlers=(Service(plugin).handler(), *own_services(ended)),
        options=[("grpc.max_receive_message_length", MAX_MESSAGE)],
    )
    if not server.add_insecure_port("unix:" + path):
        sys.exit("cannot listen on " + path)
    server.start()
    print(f"1|{VERSION}|unix|{path}|grpc", flush=True)
    ended.wait()
    server.stop(grace=1).wait()
