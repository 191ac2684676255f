"""`kubectl exec`, `attach`, `cp`, `run -it` and `port-forward`, as people use them, and Kubernetes' Python client."""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import kubernetes
import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward, stream
from space import PYTHON, Space, container, eventually, pod

ECHO = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads, request_queue_size = True, 128
Server(("127.0.0.1", 7000), Echo).serve_forever()
"""
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def place(engine, tmp_path_factory):
    """A namespace with two Pods: `two` with two containers, and `echo`, which listens on its loopback only."""
    engine.kubectl("create", "namespace", "t-streams")
    space = Space(
        Path(sys.executable).with_name("kubectl"), engine.kubeconfig, "t-streams", tmp_path_factory.mktemp("home")
    )
    serve = {"name": "main", "image": PYTHON, "command": ["python3", "-c", ECHO]}
    space.run(pod("two", container(), container(name="other")), pod("echo", serve))
    yield space
    engine.kubectl("delete", "namespace", "t-streams", "--wait=false")


class Terminal:
    """kubectl on a terminal of its own."""

    def __init__(self, space, *arguments, columns=101, rows=33):
        self.seen = b""
        command = space._command(arguments)
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, space._environment({}))
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def type(self, text):
        os.write(self._terminal, text.encode())

    def until(self, pattern, seconds=15):
        """What has been shown, up to what is waited for; what comes later is waited for anew."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern.encode(), self.seen)) is None:
            ready, _, _ = select.select([self._terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"not within {seconds} s: {pattern}; shown was {self.seen.decode()}"
            try:
                self.seen += os.read(self._terminal, 65536)
            except OSError:
                raise AssertionError(f"ended without {pattern}; shown was {self.seen.decode()}") from None
        shown, self.seen = self.seen[: found.end()].decode(), self.seen[found.end() :]
        return shown

    def end(self):
        """The exit code, when all has been shown."""
        with contextlib.suppress(OSError):
            while data := os.read(self._terminal, 65536):
                self.seen += data
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._terminal)
        return code


def descriptors(engine):
    return len(list(Path(f"/proc/{engine.process}/fd").iterdir()))


def resident(engine):
    """MB of the engine now."""
    status = Path(f"/proc/{engine.process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def started_with(word):
    """The pids of processes in containers that have this argument."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
                if word.encode() in arguments and not arguments[0].endswith((b"kubectl", b"runc")):
                    found.append(int(folder.name))
    return found


class TestExec:
    def test_output_codes_and_input(self, place):
        said = place.try_kubectl("exec", "two", "--", "sh", "-c", "echo out; echo error >&2; exit 3")
        assert (said.code, said.out) == (3, "out\n")
        assert 'Defaulted container "main" out of: main, other\nerror\n' in said.error
        assert "command terminated with exit code 3" in said.error
        assert place.kubectl("exec", "-i", "two", "-c", "other", "--", "tr", "a-z", "A-Z", stdin="hello") == "HELLO"
        assert place.kubectl("exec", "two", "-c", "other", "--", "cat", "/etc/hostname") == "two\n"

    @pytest.mark.parametrize(
        ("arguments", "code", "why"),
        [
            (("two", "-c", "main", "--", "nothing"), 127, '"nothing": executable file not found in $PATH'),
            (("two", "-c", "main", "--", "/etc/passwd"), 126, "permission denied"),
            (("two", "-c", "none", "--", "true"), 1, "container none is not valid for pod two"),
            (("nobody", "--", "true"), 1, 'pods "nobody" not found'),
        ],
    )
    def test_what_cannot_be_run(self, place, arguments, code, why):
        said = place.try_kubectl("exec", *arguments)
        assert (said.code, why in said.error) == (code, True), said

    def test_a_container_that_has_ended(self, place):
        place.apply(pod("half", container("exit 0", "gone"), container(), restartPolicy="Never"))
        gone = "jsonpath={.status.containerStatuses[?(@.name=='gone')].state.terminated.reason}=Completed"
        place.wait("pod/half", gone)
        assert 'container not found ("gone")' in place.refused("exec", "half", "-c", "gone", "--", "true")

    def test_a_terminal(self, place):
        terminal = Terminal(place, "exec", "-it", "two", "-c", "main", "--", "sh")
        terminal.until("# ")
        terminal.type("stty size; echo TERM=$TERM\n")
        terminal.until("33 101\r\nTERM=xterm\r\n")
        terminal.resize(111, 44)
        # The size travels beside what is typed.
        terminal.type('until [ "$(stty size)" = "44 111" ]; do sleep 0.1; done; echo "now $(stty size)"\n')
        terminal.until("now 44 111")
        # Said by the command itself: before it runs, the shell would get what is meant for it.
        terminal.type("sh -c 'echo be\"\"gun; exec sleep 100'\n")
        terminal.until("begun\r\n")
        terminal.type("\x03")
        terminal.type("echo code=$?\n")
        terminal.until("code=130")
        terminal.type("exit 7\n")
        assert terminal.end() == 7
        assert b"command terminated with exit code 7" in terminal.seen

    def test_a_command_ends_when_its_client_does(self, place, engine):
        before = descriptors(engine)
        clients = [place.start("exec", "two", "-c", "main", "--", "sleep", "87654") for _ in range(3)]
        eventually(lambda: len(started_with("87654")) == 3, "three commands")
        for client in clients:
            client.kill()
            client.communicate()
        eventually(lambda: started_with("87654") == [], "their end")
        eventually(lambda: descriptors(engine) <= before, "no descriptor more")

    def test_fifty_at_once(self, place, engine):
        before = descriptors(engine)
        command = ("exec", "two", "-c", "main", "--", "sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; exit 4")
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            said = list(pool.map(lambda _: place.try_kubectl(*command), range(50)))
        assert {(one.code, len(one.out)) for one in said} == {(4, 200_000)}
        eventually(lambda: descriptors(engine) <= before, "no descriptor more")

    def test_a_hundred_megabytes_each_way(self, place, engine, tmp_path):
        before = resident(engine)
        data = tmp_path / "data"
        data.write_bytes(os.urandom(MEGABYTE) * 100)
        wanted = hashlib.sha256(data.read_bytes()).hexdigest()
        with data.open("rb") as file:
            command = place._command(("exec", "-i", "two", "-c", "main", "--", "cat"))
            client = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, env=place._environment({}))
            found = hashlib.sha256()
            while piece := client.stdout.read(MEGABYTE):
                found.update(piece)
            assert client.wait() == 0
        assert found.hexdigest() == wanted
        assert resident(engine) - before < 30

    def test_a_client_that_stops_reading_holds_up_nobody(self, place, engine):
        before = resident(engine)
        client = place.start("exec", "two", "-c", "main", "--", "sh", "-c", "yes 76543")
        try:
            eventually(lambda: started_with("76543"), "the command")

            def waits():
                """Its last write has found no room."""
                return all(Path(f"/proc/{pid}/wchan").read_text().find("pipe") >= 0 for pid in started_with("76543"))

            eventually(waits, "the command waits")
            assert place.kubectl("exec", "two", "-c", "main", "--", "echo", "hello") == "hello\n"
            assert resident(engine) - before < 30
        finally:
            client.kill()
            client.communicate()
        eventually(lambda: started_with("76543") == [], "its end")


class TestAttach:
    def test_run_with_a_terminal(self, place):
        terminal = Terminal(
            place,
            "run",
            "shell",
            "-it",
            "--rm",
            "--restart=Never",
            f"--image={PYTHON}",
            "--",
            "sh",
            "-c",
            "read x; exec sh",
        )
        terminal.until("try pressing enter")
        terminal.type("\n")
        terminal.until("# ")
        # kubectl says a size too large first, so that what is shown is drawn again.
        terminal.type('until [ "$(stty size)" = "33 101" ]; do sleep 0.1; done; echo $((40 + 2)) TERM=$TERM\n')
        terminal.until("42 TERM=xterm")
        terminal.type("exit 5\n")
        terminal.until('pod "shell" deleted')
        assert terminal.end() == 5

    def test_run_with_input(self, place):
        run = ("run", "once", "-i", "--rm", "-q", "--restart=Never", f"--image={PYTHON}", "--")
        assert place.kubectl(*run, "sh", "-c", "cat; echo over", stdin="hello\n") == "hello\nover\n"

    def test_attach_shows_what_comes(self, place):
        script = "i=0; while true; do i=$((i+1)); echo out $i; echo error $i >&2; sleep 0.05; done"
        place.run(pod("tick", container(script)))
        client = place.start("attach", "tick")
        try:
            assert re.match(r"out \d+\n", client.stdout.readline())
            eventually(lambda: client.stderr.readline().startswith("error "), "standard error")
        finally:
            client.kill()
            client.communicate()
        assert place.get("pod", "tick")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_cp_there_and_back(place, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    (there / "sub").mkdir(parents=True)
    (there / "sub" / "large").write_bytes(os.urandom(5 * MEGABYTE))
    (there / "small").write_text("hello\n")
    place.kubectl("cp", there, "two:/tmp/copied", "-c", "main")
    assert place.kubectl("exec", "two", "-c", "main", "--", "cat", "/tmp/copied/small") == "hello\n"
    place.kubectl("cp", "two:/tmp/copied", back, "-c", "main")
    assert (back / "sub" / "large").read_bytes() == (there / "sub" / "large").read_bytes()


class Forward:
    """`kubectl port-forward` to a port of the Pod `echo`."""

    def __init__(self, space, port):
        self.client = space.start("port-forward", "pod/echo", f":{port}")
        line = self.client.stdout.readline()
        self.port = int(re.search(r"127\.0\.0\.1:(\d+) ->", line)[1])

    def echoed(self, data):
        """What comes back for what is sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            found = b"".join(iter(lambda: connection.recv(65536), b""))
            sender.join()
            return found

    def end(self):
        self.client.kill()
        return self.client.communicate()[1]


class TestPortForward:
    def test_many_connections_and_much_data(self, place, engine):
        before = descriptors(engine)
        forward = Forward(place, 7000)
        try:
            pieces = [os.urandom(200_000) for _ in range(30)]
            with concurrent.futures.ThreadPoolExecutor(30) as pool:
                assert list(pool.map(forward.echoed, pieces)) == pieces
            large = os.urandom(20 * MEGABYTE)
            assert forward.echoed(large) == large
        finally:
            forward.end()
        eventually(lambda: descriptors(engine) <= before, "no descriptor more")

    def test_a_port_where_nobody_listens(self, place):
        forward = Forward(place, 7001)
        with contextlib.suppress(OSError):
            assert forward.echoed(b"x") == b""
        forward.client.wait(20)
        assert "localhost:7001 inside the Pod's network: Connection refused" in forward.end()

    def test_a_pod_that_does_not_run(self, place):
        place.finish(pod("done", container("exit 0"), restartPolicy="Never"))
        assert "pod is not running. Current status=Succeeded" in place.refused("port-forward", "done", ":80")


class TestPythonClient:
    @pytest.fixture
    def api(self, engine):
        with kubernetes.config.new_client_from_config(config_file=str(engine.kubeconfig)) as connection:
            yield kubernetes.client.CoreV1Api(connection)

    def test_exec(self, place, api):
        def run(command, **settings):
            wishes = {"container": "main", "stderr": True, "stdin": False, "stdout": True, "tty": False, **settings}
            return stream(api.connect_get_namespaced_pod_exec, "two", place.name, command=command, **wishes)

        assert run(["echo", "hello"]) == "hello\n"
        shell = run(["sh"], stdin=True, _preload_content=False)
        shell.write_stdin("echo one; exit 4\n")
        shell.run_forever(timeout=20)
        assert (shell.read_stdout(), shell.returncode) == ("one\n", 4)
        with pytest.raises(ApiException, match="container none is not valid for pod two"):
            run(["true"], container="none")

    def test_port_forward(self, place, api):
        ports = portforward(api.connect_get_namespaced_pod_portforward, "echo", place.name, ports="7000,7001")
        connection = ports.socket(7000)
        connection.settimeout(20)
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        eventually(lambda: ports.error(7001), "the error of the other port")
        assert "Connection refused" in ports.error(7001)
        connection.close()


def test_logs_have_all_their_options(place):
    """What `test_e2e_logs` does not ask together: following with times, from a moment on, and the run before."""
    script = "test -e /tmp/x/second || { touch /tmp/x/second; echo first run; exit 1; }; echo second run; sleep 1d"
    mounted = container(script, volumeMounts=[{"name": "x", "mountPath": "/tmp/x"}])
    place.apply(pod("twice", mounted, volumes=[{"name": "x", "emptyDir": {}}]))
    place.wait("pod/twice", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    assert place.kubectl("logs", "twice", "--previous", "--tail=1") == "first run\n"
    client = place.start("logs", "-f", "twice", "--since=1h", "--tail=5", "--timestamps")
    try:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z second run\n", client.stdout.readline())
    finally:
        client.kill()
        client.communicate()
