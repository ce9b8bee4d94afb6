"""Files below a directory that may be a whole root file system, and hold anything."""

import os
import socket
from pathlib import Path

import pytest

from perfduck_model.errors import SymbolError
from perfduck_symbols.elf import open_elf
from perfduck_symbols.files import inside, walk
from perfduck_symbols.resolver import BinaryResolver


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with links, a FIFO, a socket and a loop; a file lies outside."""
    (tmp_path / "outside").write_text("secret")
    made = tmp_path / "root"
    (made / "lib").mkdir(parents=True)
    (made / "lib" / "vmlinux").write_text("x")
    (made / "vmlinux-link").symlink_to("lib/vmlinux")
    (made / "vmlinux-out").symlink_to("../outside")
    (made / "vmlinux-self").symlink_to("vmlinux-self")
    (made / "lib" / "loop").symlink_to(made)
    os.mkfifo(made / "vmlinux-fifo")
    return made


def test_no_name_leads_out_of_the_directory(root: Path) -> None:
    assert inside(root, "/lib/vmlinux") == inside(root, "vmlinux-link") == root / "lib" / "vmlinux"
    for name in ("../outside", "vmlinux-out", "vmlinux-self", "vmlinux-fifo", "lib", "a\0b", ""):
        assert inside(root, name) is None


def test_a_walk_gives_regular_files_and_ends(root: Path) -> None:
    found = list(walk(root, lambda name: name.startswith("vmlinux")))
    assert found == [root / "vmlinux-link", root / "lib" / "vmlinux"]


def test_pseudo_file_systems_are_not_entered(root: Path) -> None:
    for name in ("proc", "dev"):
        (root / name).mkdir()
        (root / name / "vmlinux").write_text("x")
    found = list(walk(root, lambda name: name == "vmlinux", lambda path: path.name == "proc"))
    assert found == [root / "dev" / "vmlinux", root / "lib" / "vmlinux"]


def test_special_files_are_named_and_not_opened(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(root / "vmlinux.sock"))
        kinds = {"vmlinux-fifo": "a FIFO", "vmlinux.sock": "a socket", "lib": "a directory"}
        for name, kind in kinds.items():
            with pytest.raises(SymbolError, match=f"expected an ELF file, got: {kind}"):
                open_elf(root / name)
    with pytest.raises(SymbolError, match="got: a character device"):
        open_elf(Path("/dev/null"))
    with pytest.raises(SymbolError, match="expected an ELF file or a directory, got: a FIFO"):
        BinaryResolver([root / "vmlinux-fifo"]).find("[kernel.kallsyms]")


def test_a_root_file_system_without_kernels_is_not_walked(tmp_path: Path) -> None:
    for folder in ("usr", "etc", "proc"):
        (tmp_path / folder).mkdir()
    (tmp_path / "proc" / "vmlinux").write_text("x")
    assert BinaryResolver([tmp_path]).find("[kernel.kallsyms]") is None
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / "vmlinux-6.1").write_text("x")
    assert BinaryResolver([tmp_path]).find("[kernel.kallsyms]") == tmp_path / "boot" / "vmlinux-6.1"
