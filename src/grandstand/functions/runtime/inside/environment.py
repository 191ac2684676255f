"""The environment that Lambda gives a handler. Pure."""

from __future__ import annotations

from .binding import Binding

TASK_ROOT = "/var/task"
RUNTIME_ROOT = "/var/runtime"
_PATHS = "/opt/bin:/usr/local/bin:/usr/bin:/bin"


def environment_for(binding: Binding, task_root: str = TASK_ROOT) -> dict[str, str]:
    """The function's own variables, and Lambda's, which win."""
    common = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": _PATHS,
        "LD_LIBRARY_PATH": f"{task_root}:{task_root}/lib:/opt/lib",
        "HOME": "/tmp",
    }
    lambdas = {
        "_HANDLER": binding.handler,
        "AWS_REGION": binding.region,
        "AWS_DEFAULT_REGION": binding.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{binding.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": binding.function,
        "AWS_LAMBDA_FUNCTION_VERSION": binding.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(binding.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": binding.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": binding.log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": task_root,
        "LAMBDA_RUNTIME_DIR": RUNTIME_ROOT,
    }
    if binding.runtime.startswith("python"):
        lambdas["PYTHONPATH"] = f"{task_root}:/opt/python"
    elif binding.runtime.startswith("nodejs"):
        lambdas["NODE_PATH"] = f"/opt/nodejs/node_modules:{task_root}/node_modules"
    return {**common, **binding.environment, **lambdas}
