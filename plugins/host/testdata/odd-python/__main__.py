"""A plugin in Python that tells which of the sandbox's walls gave way."""

import os
import socket
import subprocess
import sys

import contract
import inference_v2_pb2 as pb


def again(code):
    """Runs its own interpreter again, in what must be the same sandbox."""
    subprocess.run(["/proc/self/exe", "-I", "-c", code], check=True, capture_output=True)


TRIES = {
    "again": lambda: again("pass"),  # is said to be possible
    "read": lambda: open("/etc/passwd").close(),
    "list": lambda: os.listdir("/"),
    "write": lambda: open(os.environ["PLUGIN_UNIX_SOCKET_DIR"] + "/f", "w").write("x" * 100_000),
    "exec": lambda: subprocess.run(["/usr/bin/true"], check=True),
    "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "udp": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "kill": lambda: os.kill(os.getppid(), 9),
    "root": lambda: os.setuid(0),
    "read again": lambda: again("open('/etc/passwd')"),
    "tcp again": lambda: again("import socket; socket.socket()"),
}


class Odd:
    def __init__(self):
        self.worked = {}
        for name, attempt in TRIES.items():
            try:
                attempt()
            except (OSError, subprocess.CalledProcessError):
                continue
            self.worked[name] = "worked"
        if len(sys.argv) != 1:
            self.worked["argv"] = len(sys.argv)

    def describe(self):
        return pb.Description(name="odd-python", version="1", cluster=pb.CLUSTER_NETWORK)

    def ready(self):
        return True

    def assess(self, _observation):
        return contract.say(1, 1, "ZT-TRU-001", **self.worked)


if __name__ == "__main__":
    contract.serve(Odd())
