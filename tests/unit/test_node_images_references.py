"""Image names mean what Docker's users expect."""

import pytest

from grandstand.node.images import ImageError, candidates, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("payment-app:v1", "docker.io/library/payment-app:v1", "payment-app:v1"),
        ("team/app", "docker.io/team/app:latest", "team/app:latest"),
        ("localhost/app:1", "localhost/app:1", "localhost/app:1"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1"),
        ("registry.example.com/a", "registry.example.com/a:latest", "registry.example.com/a:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", f"nginx@{DIGEST}"),
        (f"nginx:1@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", f"nginx@{DIGEST}"),
    ],
)
def test_names_are_normalised_as_docker_does(text, full, familiar):
    reference = parse_reference(text)
    assert str(reference) == full
    assert reference.familiar == familiar
    assert str(parse_reference(familiar)) == full


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "a:", "a@sha256:12", "../a", "a//b", "-a", "a:t/b", "x" * 600])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ImageError) as caught:
        parse_reference(text)
    assert caught.value.reason == "InvalidImageName"


def test_a_name_without_host_also_means_a_local_one():
    assert [str(c) for c in candidates("app:1")] == ["docker.io/library/app:1", "localhost/app:1"]
    assert [str(c) for c in candidates("docker.io/app:1")] == ["docker.io/library/app:1"]
    assert [str(c) for c in candidates("quay.example/app:1")] == ["quay.example/app:1"]
