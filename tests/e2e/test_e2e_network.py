"""Names and addresses from inside Pods: DNS, ClusterIPs, balancing."""

import json
import urllib.request
from pathlib import Path

from space import container, deployment, eventually, job, payment, pod, service

ASK = """python3 -c '
import json, sys, urllib.request
print(json.load(urllib.request.urlopen(sys.argv[1], timeout=5))["pod"])
'"""


def test_services_by_name_and_by_address(space):
    space.apply(deployment("web", payment(), replicas=2), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    address = space.get("service", "web")["spec"]["clusterIP"]
    names = ["web", f"web.{space.name}", f"web.{space.name}.svc", f"web.{space.name}.svc.cluster.local", address]
    pods = {p["metadata"]["name"] for p in space.get("pods")}
    script = "\n".join(ASK + f" http://{name}/" for name in names)
    answers = space.output(job("ask", script)).split()
    assert len(answers) == len(names)
    assert set(answers) <= pods


def test_a_cluster_ip_balances_over_all_replicas(space):
    space.apply(deployment("web", payment(), replicas=3), service("web"))
    space.kubectl("rollout", "status", "deployment/web")
    pods = {p["metadata"]["name"] for p in space.get("pods")}
    script = """python3 -c '
import collections, json, urllib.request
ask = lambda: json.load(urllib.request.urlopen("http://web/", timeout=5))["pod"]
print(json.dumps(collections.Counter(ask() for _ in range(90))))
'"""
    counts = json.loads(space.output(job("ask", script)))
    assert set(counts) == pods
    assert min(counts.values()) > 10, counts


def test_endpoints_follow_scaling(space):
    space.apply(deployment("web", payment(), replicas=3), service("web"))
    space.kubectl("rollout", "status", "deployment/web")

    def endpoints():
        slices = space.get("endpointslices", "", "-l", "kubernetes.io/service-name=web")
        return {a for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"] for a in e["addresses"]}

    assert endpoints() == {p["status"]["podIP"] for p in space.get("pods")}
    space.kubectl("scale", "deployment/web", "--replicas=1")
    eventually(lambda: len(endpoints()) == 1, "one endpoint is left")


def test_a_service_without_endpoints_refuses_at_once(space):
    space.apply(service("nobody"))
    script = """python3 -c '
import time, urllib.request
begun = time.monotonic()
try:
    urllib.request.urlopen("http://nobody/", timeout=5)
except OSError as error:
    print("refused" if time.monotonic() - begun < 2 else "hung", error)
'"""
    assert space.output(job("ask", script)).startswith("refused")


def test_headless_services_and_pod_names(space):
    space.apply(service("web", clusterIP="None"))
    space.run(
        pod("a", payment(), labels={"app": "web"}, hostname="a", subdomain="web"),
        pod("b", payment(), labels={"app": "web"}, hostname="b", subdomain="web"),
    )
    addresses = {p["metadata"]["name"]: p["status"]["podIP"] for p in space.get("pods")}
    script = """python3 -c '
import socket
print(*sorted(socket.gethostbyname_ex("web")[2]))
print(socket.gethostbyname("a.web"), socket.gethostbyname("b.web"))
'"""
    every, named = space.output(job("ask", script)).splitlines()
    assert every.split() == sorted(addresses.values())
    assert named.split() == [addresses["a"], addresses["b"]]


def test_names_that_do_not_exist_are_known_not_to(space):
    script = """python3 -c '
import socket
for name in ("nothing", "nothing.svc.cluster.local"):
    try:
        print(socket.gethostbyname(name))
    except socket.gaierror as error:
        print(error.args[0] in (socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_NODATA))
'"""
    assert space.output(job("ask", script)).split() == ["True", "True"]


def test_pods_reach_each_other(space):
    space.run(pod("a", payment(), labels={"app": "a"}))
    address = space.get("pod", "a")["status"]["podIP"]
    assert space.output(job("ask", f"{ASK} http://{address}:8000/")).strip() == "a"


SELF = """
import http.server, threading, time, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.ThreadingHTTPServer(("", 8000), Handler)
threading.Thread(target=server.serve_forever).start()
while True:
    try:
        print(urllib.request.urlopen("http://self/", timeout=1).status, flush=True)
        break
    except OSError:
        time.sleep(0.02)
"""


def test_a_pod_reaches_itself_through_its_own_service(space):
    program = container(ports=[{"containerPort": 8000}])
    program["command"] = ["python3", "-c", SELF]
    # Not named as the Service is: a Pod's own name stands in its /etc/hosts.
    space.run(service("self"), pod("p", program, labels={"app": "self"}, terminationGracePeriodSeconds=0))
    following = space.start("logs", "--follow", "p")
    try:
        assert following.stdout.readline() == "200\n"
    finally:
        following.kill()
        following.communicate()


def test_the_host_reaches_pods(space):
    space.run(pod("a", payment()))
    address = space.get("pod", "a")["status"]["podIP"]
    with urllib.request.urlopen(f"http://{address}:8000/", timeout=5) as answer:
        assert json.load(answer)["pod"] == "a"


def test_services_in_the_environment(space):
    space.apply(service("web"))
    address = space.get("service", "web")["spec"]["clusterIP"]
    lines = space.output(job("p", "env")).splitlines()
    assert f"WEB_SERVICE_HOST={address}" in lines
    assert "WEB_SERVICE_PORT=80" in lines


def test_a_host_network_pod_has_the_machines_name_space(space):
    found = space.output(pod("p", container("readlink /proc/self/ns/net"), hostNetwork=True, restartPolicy="Never"))
    assert found.strip() == str(Path("/proc/self/ns/net").readlink())


def test_client_ip_affinity_sticks(space):
    space.apply(deployment("web", payment(), replicas=3), service("web", sessionAffinity="ClientIP"))
    space.kubectl("rollout", "status", "deployment/web")
    script = """python3 -c '
import json, urllib.request
print(len({json.load(urllib.request.urlopen("http://web/", timeout=5))["pod"] for _ in range(30)}))
'"""
    assert space.output(job("ask", script)).strip() == "1"
