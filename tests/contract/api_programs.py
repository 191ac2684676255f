"""kubectl and helm as a person would run them, against the API server of a test."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import yaml
from api_server_world import World

PROGRAMS = Path(sys.executable).parent


class Programs:
    """kubectl and helm in one namespace, with a home of their own."""

    def __init__(self, world: World, namespace: str, home: Path) -> None:
        self.world = world
        self.namespace = namespace
        self.home = home
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(world.engine.kubeconfig),
        }

    async def start(self, program: str, *arguments: str, stdin: str = "") -> asyncio.subprocess.Process:
        path = PROGRAMS / program
        found = path if path.exists() else shutil.which(program)
        assert found, f"{program} is missing: run `make setup-dev`"
        process = await asyncio.create_subprocess_exec(
            str(found),
            "-n",
            self.namespace,
            *arguments,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(stdin.encode())
        process.stdin.close()
        return process

    async def run(self, program: str, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        """What the program says, on stderr where it is to fail."""
        process = await self.start(program, *arguments, stdin=stdin)
        try:
            out, err = await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert bool(process.returncode) is fails, f"{arguments}\n{out.decode()}\n{err.decode()}"
        return err.decode() if fails else out.decode()

    async def kubectl(self, *arguments: str, stdin: object = "", fails: bool = False) -> str:
        text = stdin if isinstance(stdin, str) else yaml.safe_dump(stdin)
        return await self.run("kubectl", *arguments, stdin=text, fails=fails)
