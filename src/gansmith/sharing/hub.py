"""Putting an exported folder on the Hugging Face Hub, for somebody who is logged in there."""

from __future__ import annotations

import re
from pathlib import Path

from gansmith.errors import GansmithError

NAME = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")


def push(folder: Path, name: str, private: bool = False) -> str:
    """Upload a folder that `export(…, to="hf")` wrote to the repository OWNER/NAME, which is made if
    there is none; its address.

    Raises GansmithError where nobody is logged in, or the Hub refuses or can't be reached. The folder
    stays as it is.
    """
    require_name(name)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import LocalTokenNotFoundError
    except ImportError:
        raise GansmithError("--push needs huggingface_hub: pip install 'gansmith[hf]'") from None
    api = HfApi()
    try:
        api.whoami()
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=folder, commit_message="A gansmith generator")
    except LocalTokenNotFoundError:
        raise GansmithError(
            f"--push: nobody is logged in to the Hugging Face Hub here; hf auth login, or upload "
            f"{folder} as it is"
        ) from None
    except Exception as error:  # its client's own, and those of whichever HTTP library it uses
        raise GansmithError(
            f"--push: the Hugging Face Hub did not take {name} ({_brief(error)}); {folder} is ready"
        ) from None
    return str(address)


def require_name(name: str) -> None:
    """Before anything is written. Raises GansmithError."""
    if not NAME.fullmatch(name):
        raise GansmithError(f"--push: expected OWNER/NAME, found {name!r}")


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
