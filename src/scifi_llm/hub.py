"""The Hugging Face hub: token, reachability, and what of it is on this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from .console import log_test
from .errors import ToolkitError

LOGIN = "~/.venvs/llm/bin/hf auth login"


def token() -> str:
    """The hub token of the environment or of `hf auth login`, or ""."""
    value = os.environ.get("HF_TOKEN", "") or os.environ.get("HUGGING_FACE_HUB_TOKEN", "")
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    file = Path(os.environ.get("HF_TOKEN_PATH", home / "token"))
    return value or (file.read_text(encoding="utf-8").strip() if file.is_file() else "")


def answers() -> bool:
    """Can a connection to the hub be opened within 3 seconds?"""
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        return False
    try:
        socket.create_connection(("huggingface.co", 443), timeout=3).close()
    except OSError:
        return False
    return True


def cached(model: str) -> str:
    """The folder of a model that is complete in the local cache, or ""."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return ""
    weights = [*folder.glob("*.safetensors"), *folder.glob("*.bin"), *folder.glob("*.gguf")]
    # An interrupted download leaves links to files that are not there yet.
    complete = weights and all(file.exists() for file in weights)
    return str(folder) if complete and (folder / "config.json").exists() else ""


def download(model: str) -> None:
    """Bring a model into the local cache; an interrupted download goes on where it ended.

    Raises ToolkitError where the hub cannot be reached, or the model is gated or unknown.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    if not answers():
        raise ToolkitError(
            f"{model} is not on this machine and huggingface.co cannot be reached.",
            "Connect and run this again.",
        )
    log_test(f"Downloading {model}; an interrupted download goes on later")
    skip = ["original/*", "onnx/*", "openvino/*", "*.pth", "*.gguf"]
    try:
        snapshot_download(model, token=token() or None, ignore_patterns=skip)
    except GatedRepoError:
        raise ToolkitError(
            f"{model} is gated.",
            f"Accept its licence at https://huggingface.co/{model}, then: {LOGIN}",
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ToolkitError(f"The hub has no model {model}.", "Check the name.") from None
    except (HfHubHTTPError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ToolkitError(f"Downloading {model} failed: {reason}.", "Run this again.") from None
