"""Which file is tried first, by the orders of perf, opreport and gdb, and what is never opened."""

from pathlib import Path

import pytest

from perfduck_symbols.file_finder import OPREPORT, PERF, TAGS, FileFinder, SearchOrder
from perfduck_symbols.files import HostFiles

ID = "8d0c9a"
BY_ID = [".build-id/8d/0c9a.debug", ".build-id/8d/0c9a", "usr/lib/debug/.build-id/8d/0c9a.debug"]
ARCHIVED = [f"usr/sbin/nginx/{ID}/elf"]
BY_NAME = ["usr/sbin/nginx", "nginx", "nginx.debug"]
OF_DEBUG = ["usr/lib/debug/usr/sbin/nginx.debug", "usr/lib/debug/usr/sbin/nginx"]
LINKED = ["usr/sbin/x.debug", "usr/sbin/.debug/x.debug", "usr/lib/debug/usr/sbin/x.debug"]


def lay(root: Path, names: list[str]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def below(root: Path, paths: object) -> list[str]:
    return [str(path.relative_to(root)) for path in paths]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("order", "build_id", "expected"),
    [
        (PERF, ID, [*BY_ID, *BY_NAME, *OF_DEBUG]),
        (PERF, None, [*BY_NAME, *OF_DEBUG]),
        (OPREPORT, ID, BY_NAME[:2]),
        (TAGS, ID, [*BY_NAME, "usr/sbin/nginx.debug"]),
    ],
)
def test_a_binary_is_looked_for_in_the_order_of_the_tool(
    tmp_path: Path, order: SearchOrder, build_id: str | None, expected: list[str]
) -> None:
    lay(tmp_path, [*BY_ID, *BY_NAME, *OF_DEBUG, "usr/sbin/nginx.debug"])
    found = FileFinder([tmp_path], order).binary("/usr/sbin/nginx", build_id)
    assert below(tmp_path, found) == expected


def test_what_perf_archive_packs_is_found_by_build_id(tmp_path: Path) -> None:
    kept = [".build-id/8d/0c9a/elf", ".build-id/8d/0c9a/vdso", ".build-id/8d/0c9a/debug"]
    lay(tmp_path, [*kept, *ARCHIVED, f"[kernel.kallsyms]/{ID}/kallsyms"])
    finder = FileFinder([tmp_path], PERF)
    assert below(tmp_path, finder.binary("/usr/sbin/nginx", ID)) == [*kept, *ARCHIVED]
    assert below(tmp_path, finder.kallsyms("[kernel.kallsyms]", ID)) == [
        f"[kernel.kallsyms]/{ID}/kallsyms"
    ]


def test_a_text_names_no_build_id_of_what_perf_archive_packs(tmp_path: Path) -> None:
    lay(tmp_path, ["usr/a[b]/1f/elf", "usr/two/1f/elf", "usr/two/2f/elf"])
    for order in (OPREPORT, TAGS):
        finder = FileFinder([tmp_path], order)
        assert below(tmp_path, finder.binary("/usr/a[b]")) == ["usr/a[b]/1f/elf"]
        for name in ("/usr/two", "/usr/*", "/usr/ab", "/../usr", "/usr/\0"):
            assert list(finder.binary(name)) == []


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (PERF, LINKED),
        (TAGS, [BY_ID[0], BY_ID[2], *LINKED]),
        (OPREPORT, [BY_ID[0], BY_ID[2], "8d/0c9a.debug", *LINKED, "sbin/x.debug", "x.debug"]),
    ],
)
def test_a_debug_file_is_looked_for_by_build_id_and_by_its_link(
    tmp_path: Path, order: SearchOrder, expected: list[str]
) -> None:
    others = ["8d/0c9a.debug", "sbin/x.debug", "x.debug", "usr/sbin/nginx"]
    lay(tmp_path, [*BY_ID, *LINKED, *others])
    finder = FileFinder([tmp_path], order)
    found = finder.debug(tmp_path / "usr/sbin/nginx", ID, "x.debug")
    assert below(tmp_path, found) == expected
    recorded = finder.debug_of_recorded("/usr/sbin/nginx", ID, "x.debug")
    assert below(tmp_path, recorded) == expected


def test_no_link_out_of_a_place_is_followed(tmp_path: Path) -> None:
    outside, place = tmp_path / "outside", tmp_path / "place"
    lay(outside, ["nginx", "x.debug"])
    lay(place, ["usr/sbin/nginx"])
    (place / "nginx").symlink_to(outside / "nginx")
    (place / "usr/sbin/x.debug").symlink_to(outside / "x.debug")
    finder = FileFinder([place], PERF)
    assert below(place, finder.binary("/usr/sbin/nginx")) == ["usr/sbin/nginx"]
    assert list(finder.binary("/../outside/nginx")) == []
    assert list(finder.debug(place / "usr/sbin/nginx", None, "x.debug")) == []
    lay(outside, ["lib/modules/6.1.0/nf_nat.ko"])
    (place / "lib").symlink_to(outside / "lib")
    assert finder.kernel_file("nf_nat") is None
    lay(place, ["usr/lib/modules/6.1.0/nf_nat.ko"])
    assert FileFinder([place], PERF).kernel_file("nf_nat") is not None


def test_a_place_may_be_a_link_or_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path / "real", ["usr/.bin/a.ko", "usr/lib/debug/usr/.bin/a.ko.debug"])
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "link", Path("link"), Path("real")):
        finder = FileFinder([place], TAGS)
        path = FileFinder([place / "usr/.bin"], TAGS).kernel_file("a")
        assert path is not None
        found = finder.debug(path, None, "a.ko.debug")
        assert below(tmp_path / "real", found) == ["usr/lib/debug/usr/.bin/a.ko.debug"]


def test_a_place_may_be_the_file(tmp_path: Path) -> None:
    lay(tmp_path, ["nginx.debug", "other"])
    places = [tmp_path / "other", tmp_path / "nginx.debug"]
    for order in (PERF, OPREPORT, TAGS):
        found = FileFinder(places, order).binary("/usr/sbin/nginx")
        assert below(tmp_path, found) == ["nginx.debug"]


def test_a_host_has_files_only_where_it_is_given(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "root" / "home"
    lay(root, ["usr/sbin/nginx", OF_DEBUG[0], BY_ID[2], LINKED[1], "proc/kallsyms"])
    lay(home, [".debug/.build-id/8d/0c9a/elf", f".debug/[kernel.kallsyms]/{ID}/kallsyms"])
    lay(tmp_path, ["secret"])
    (root / "link").symlink_to(tmp_path / "secret")
    finder = FileFinder([], PERF, HostFiles(root, home))
    kept = "home/.debug/.build-id/8d/0c9a/elf"
    found = below(root, finder.on_host("/usr/sbin/nginx", ID))
    assert found == [kept, OF_DEBUG[0], BY_ID[2], "usr/sbin/nginx"]
    assert below(home, finder.kallsyms("[kernel.kallsyms]", ID)) == [
        f".debug/[kernel.kallsyms]/{ID}/kallsyms"
    ]
    assert [*finder.on_host("/../secret"), *finder.on_host("/link")] == []
    assert HostFiles(root, home).kernel_build_id is None
    lay(home, ["x"])
    assert list(finder.on_host("/~/x")) == []
    linked = FileFinder([], PERF, HostFiles(root, home)).debug(
        root / "usr/sbin/nginx", ID, "x.debug"
    )
    assert set(below(root, linked)) == {LINKED[1]}
    homeless = FileFinder([], PERF, HostFiles(root, None))
    assert below(root, homeless.on_host("/usr/sbin/nginx", ID)) == found[1:]
    nowhere = FileFinder([], PERF)
    assert [*nowhere.on_host("/usr/sbin/nginx", ID), *nowhere.kallsyms("[k]", ID)] == []


def test_the_kernel_of_the_release_is_taken(tmp_path: Path) -> None:
    modules = [f"lib/modules/{one}/kernel/nf-nat.ko.xz" for one in ("5.10.0", "6.1.0")]
    lay(tmp_path, [*modules, "boot/vmlinux-5.10.0", "boot/vmlinux-6.1.0", "usr/x", "etc/x"])
    finder = FileFinder([tmp_path], TAGS)
    assert finder.kernel_file("nf_nat", "6.1.0") == tmp_path / modules[1]
    assert finder.kernel_file("nf_nat") == tmp_path / modules[0]
    assert finder.kernel_file("vmlinux", "6.1.0") == tmp_path / "boot/vmlinux-6.1.0"
    assert finder.kernel_file("nf_tables") is None


def test_of_two_maps_in_a_folder_none_is_known_to_be_the_one(tmp_path: Path) -> None:
    lay(tmp_path, ["tmp/perf-1.map", "2/perf-1.map", "3/perf-1.map", "3/perf-2.map"])
    finder = FileFinder([tmp_path], PERF)
    found = [below(tmp_path, finder.jit_maps(process)) for process in (1, 2, 3)]
    assert found == [["tmp/perf-1.map"], ["2/perf-1.map"], []]
    (tmp_path / "3/perf-2.map").unlink()
    assert below(tmp_path, finder.jit_maps(3)) == ["3/perf-1.map"]
