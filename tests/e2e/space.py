"""A namespace of one test, driven by the real kubectl; and the objects that tests are made of."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.03

IDLE = 'trap "exit 0" TERM; sleep 1d & wait'
"""A program that does nothing until it is asked to stop."""

PYTHON = "localhost/debian-python:12"
PAYMENT = "payment-app:v1"


def eventually(condition, what: str, seconds: float = 20.0):
    """What `condition()` returns, once it is true. For what neither kubectl nor a watch can wait for."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}; the last answer was {found!r}"
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Said:
    """What a program printed, and how it ended."""

    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Space:
    """One namespace of the engine, and kubectl in it."""

    program: Path
    kubeconfig: Path
    name: str
    home: Path

    def _command(self, arguments):
        return [str(self.program), "--namespace", self.name, *map(str, arguments)]

    def _environment(self, extra):
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), **extra}

    def try_kubectl(self, *arguments, stdin="", timeout=90, **environment) -> Said:
        """Run kubectl, whatever comes of it."""
        done = subprocess.run(
            self._command(arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self._environment(environment),
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def kubectl(self, *arguments, stdin="", timeout=90, **environment) -> str:
        """What kubectl printed; its failure is the test's."""
        said = self.try_kubectl(*arguments, stdin=stdin, timeout=timeout, **environment)
        shown = f"kubectl {' '.join(map(str, arguments))}\nexit code {said.code}\n{said.out}\n{said.error}"
        assert said.code == 0, shown
        return said.out

    def refused(self, *arguments, stdin="") -> str:
        """What kubectl said on stderr when it was refused."""
        said = self.try_kubectl(*arguments, stdin=stdin)
        assert said.code != 0, f"kubectl {' '.join(map(str, arguments))} went through:\n{said.out}"
        return said.error

    def start(self, *arguments) -> subprocess.Popen:
        """kubectl going on in the background, e.g. `get --watch`. The caller ends it."""
        return subprocess.Popen(
            self._command(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment({}),
        )

    def apply(self, *objects, server_side=False) -> str:
        flags = ["--server-side"] if server_side else []
        return self.kubectl("apply", *flags, "-f", "-", stdin=manifest(*objects))

    def get(self, resource, name="", *flags) -> Any:
        found = json.loads(self.kubectl("get", resource, *([name] if name else []), "-o", "json", *flags))
        return found if name else found["items"]

    def wait(self, target, condition="Ready", seconds=30) -> None:
        """`condition` is a condition's name, or `jsonpath=…=value`, `delete`."""
        what = condition if condition.startswith(("jsonpath", "delete")) else f"condition={condition}"
        self.kubectl("wait", f"--for={what}", target, f"--timeout={seconds}s")

    def run(self, *objects, seconds=30) -> None:
        """Apply Pods, and wait until all are ready."""
        self.apply(*objects)
        pods = [f"pod/{obj['metadata']['name']}" for obj in objects if obj["kind"] == "Pod"]
        self.kubectl("wait", "--for=condition=Ready", *pods, f"--timeout={seconds}s")

    def finish(self, obj, phase="Succeeded", seconds=30) -> dict:
        """Apply a Pod, wait until it has ended, and return it."""
        self.apply(obj)
        name = obj["metadata"]["name"]
        self.wait(f"pod/{name}", f"jsonpath={{.status.phase}}={phase}", seconds)
        return self.get("pod", name)

    def output(self, obj, **settings) -> str:
        """What a Pod that runs to its end writes."""
        self.finish(obj, **settings)
        return self.kubectl("logs", obj["metadata"]["name"])

    def events(self, name, kind="Pod") -> list[dict]:
        """The events of one object, in the order in which they happened."""
        return self.get("events", "", f"--field-selector=involvedObject.name={name},involvedObject.kind={kind}")

    def event(self, name, reason, seconds=20.0) -> dict:
        """The first event of a reason about an object, once it is there."""

        def found():
            return next((event for event in self.events(name) if event["reason"] == reason), None)

        return eventually(found, f"event {reason} of {name}", seconds)


def documents(text) -> list[dict]:
    """The JSON documents that a watch printed one after another; the last may be cut off where it was ended."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        try:
            document, end = decoder.raw_decode(text)
        except ValueError:
            break
        found.append(document)
        text = text[end:]
    return found


def manifest(*objects) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def container(script=IDLE, name="main", image=PYTHON, **fields) -> dict:
    """A container that runs a shell script."""
    return {"name": name, "image": image, "command": ["/bin/sh", "-c", script], **fields}


def pod(name, *containers, labels=None, annotations=None, **spec) -> dict:
    """A Pod of containers; without any, of one that idles."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": name}, "annotations": annotations or {}},
        "spec": {"containers": list(containers) or [container()], "terminationGracePeriodSeconds": 5, **spec},
    }


def job(name, script, **spec) -> dict:
    """A Pod that runs a shell script once."""
    fields = {
        key: spec.pop(key) for key in ("env", "envFrom", "volumeMounts", "securityContext", "resources") if key in spec
    }
    return pod(name, container(script, **fields), restartPolicy="Never", **spec)


def config_map(name, **data) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name, **data) -> dict:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def service(name, port=80, target: int | str = 8000, **spec) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": target}], **spec},
    }


def payment(image=PAYMENT, **fields) -> dict:
    """A container of the payment service."""
    probe = {"httpGet": {"path": "/readyz", "port": 8000}, "periodSeconds": 1}
    return {"name": "payment", "image": image, "ports": [{"containerPort": 8000}], "readinessProbe": probe, **fields}


def deployment(name, *containers, replicas=1, labels=None, pod_spec=None, **spec) -> dict:
    """A Deployment of containers; without any, of one that idles."""
    labels = labels or {"app": name}
    template = {"containers": list(containers) or [container()], "terminationGracePeriodSeconds": 5, **(pod_spec or {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template},
            **spec,
        },
    }
