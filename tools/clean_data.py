"""`make clean-data`: removes DATA_DIR and the folders that the embedded services keep elsewhere for it."""

from __future__ import annotations

import shutil
import sys

from realtime.embedded.home import remove_home
from realtime.settings import load


def main() -> None:
    """Remove, unless the instance runs."""
    if sys.argv[1:]:
        sys.exit("clean_data takes no arguments: it removes DATA_DIR at once")
    settings = load()
    if (settings.run_dir / "endpoints.json").exists():
        sys.exit(f"{settings.data_dir} is in use (run/endpoints.json exists); stop it first")
    for folder in [*remove_home(settings.data_dir), settings.data_dir]:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"removed {folder}")


if __name__ == "__main__":
    main()
