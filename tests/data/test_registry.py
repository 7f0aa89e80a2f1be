import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cisgram.cli import data as cli
from cisgram.core.checks import ConfigError, DataError
from cisgram.data import registry
from cisgram.data.download import ChecksumError, UnreachableError

CONTENT = {f"chr{n}.vcf.gz": f"genotypes of {n}".encode() for n in ("1", "2", "X")} | {
    "people.panel": b"HG1\tGBR\n"
}


def _file(name: str, part: str | None, checksum: str | None) -> registry.RemoteFile:
    urls = (f"https://one.example/{name}", f"https://two.example/{name}")
    return registry.RemoteFile(name=name, urls=urls, part=part, size=None, checksum=checksum)


@pytest.fixture(autouse=True)
def asked(monkeypatch, tmp_path) -> list[str]:
    """A registry of one data set, and a network that records what it is asked for."""
    published = f"md5:{hashlib.md5(CONTENT['people.panel']).hexdigest()}"
    files = (
        _file("people.panel", None, published),
        *(_file(f"chr{n}.vcf.gz", n, None) for n in ("1", "2", "X")),
    )
    facts = dict.fromkeys(("title", "assembly", "licence", "citation", "homepage", "use"), "-")
    monkeypatch.setattr(
        registry, "_table", lambda: {"Toy": registry.Dataset(name="Toy", files=files, **facts)}
    )
    monkeypatch.setenv("CISGRAM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CISGRAM_MIRROR", raising=False)
    asked: list[str] = []

    def download(url: str, path: Path, checksum: str | None, *, size: int | None) -> None:
        asked.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT[path.name])
        if checksum and not registry.matches(path, checksum):
            path.unlink()
            raise ChecksumError("wrong checksum.")

    monkeypatch.setattr(registry, "download", download)
    return asked


@pytest.fixture
def table(monkeypatch) -> tuple[registry.Dataset, ...]:
    """The data sets as released."""
    monkeypatch.undo()
    return registry.list_datasets()


def test_every_released_data_set_says_where_it_is_from(table):
    assert [dataset.name for dataset in table] == sorted(
        (dataset.name for dataset in table), key=str.lower
    )
    for dataset in table:
        assert dataset.files, dataset.name
        for fact in (dataset.title, dataset.assembly, dataset.licence, dataset.citation):
            assert fact.strip(), dataset.name
        names = [file.name for file in dataset.files]
        assert len(set(names)) == len(names)
        for file in dataset.files:
            assert file.urls
            assert not re.search(r"[{}]", "".join((file.name, *file.urls)))
            assert all(re.match(r"https?://\S+$", url) and file.name in url for url in file.urls)
            assert file.checksum is None or re.fullmatch(
                r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum
            )


def test_released_genotypes_have_every_chromosome(table):
    expected = (*map(str, range(1, 23)), "X")
    cut = {dataset.name: dataset.parts for dataset in table if dataset.parts}
    assert cut == {"1000g-30x": expected, "1000g-phase3": expected}


def test_name_is_found_in_any_case_and_near_misses_are_suggested(table):
    assert registry.find_dataset("SACCER3").name == "sacCer3"
    with pytest.raises(ConfigError, match="no data set is named 'geuvadis'; did you mean geuv"):
        registry.find_dataset("geuvadis")
    with pytest.raises(ConfigError, match=r"`cisgram data list` shows them all\.$"):
        registry.find_dataset("zzzzzz")


def test_fetch_brings_the_parts_asked_for_and_what_belongs_to_all(asked, tmp_path):
    paths = registry.fetch("toy", parts=["2"])
    assert paths == [tmp_path / "data/Toy" / name for name in ("people.panel", "chr2.vcf.gz")]
    assert [path.read_bytes() for path in paths] == [CONTENT[path.name] for path in paths]
    assert asked == ["https://one.example/people.panel", "https://one.example/chr2.vcf.gz"]
    assert len(registry.fetch("toy")) == 4
    assert len(asked) == 4
    assert len(registry.fetch("toy", directory=tmp_path / "else", parts=[])) == 1
    assert (tmp_path / "else/Toy/people.panel").exists()


def test_file_without_a_published_checksum_is_held_to_its_first_fetch(tmp_path):
    registry.fetch("toy", parts=["1"])
    path = tmp_path / "data/Toy/chr1.vcf.gz"
    digest = hashlib.sha256(CONTENT[path.name]).hexdigest()
    assert registry.recorded_checksum(path) == f"sha256:{digest}"
    assert path.with_name("chr1.vcf.gz.sha256").read_text() == f"{digest}  chr1.vcf.gz\n"
    assert registry.recorded_checksum(tmp_path / "data/Toy/people.panel") is None
    path.write_bytes(b"changed")
    with pytest.raises(DataError, match=r"is damaged or of another version .*; remove it"):
        registry.fetch("toy", parts=["1"])
    assert path.read_bytes() == b"changed"


def test_file_put_there_by_hand_is_checked_and_kept(asked, tmp_path):
    place = tmp_path / "data/Toy/people.panel"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT["people.panel"])
    registry.fetch("toy", parts=[])
    assert asked == []
    place.write_bytes(b"another")
    with pytest.raises(DataError, match=r"people\.panel is damaged"):
        registry.fetch("toy", parts=[])


def test_next_source_is_tried_and_the_last_error_is_told(monkeypatch, tmp_path):
    tried: list[str] = []

    def broken(url: str, path: Path, checksum: str | None, *, size: int | None) -> None:
        tried.append(url)
        if "one" in url:
            raise UnreachableError(f"{url} answered 404.")
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT[path.name])

    monkeypatch.setattr(registry, "download", broken)
    registry.fetch("toy", parts=[])
    assert tried == ["https://one.example/people.panel", "https://two.example/people.panel"]

    def absent(url: str, path: Path, checksum: str | None, *, size: int | None) -> None:
        raise UnreachableError(f"{url} answered 404.")

    monkeypatch.setattr(registry, "download", absent)
    with pytest.raises(DataError, match=r"two\.example/people\.panel answered 404"):
        registry.fetch("toy", directory=tmp_path / "else", parts=[])


def test_mirror_directory_is_used_where_it_is(asked, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    (mirror / "Toy").mkdir(parents=True)
    (mirror / "people.panel").write_bytes(CONTENT["people.panel"])
    (mirror / "Toy/chr1.vcf.gz").write_bytes(CONTENT["chr1.vcf.gz"])
    before = sorted(mirror.rglob("*"))
    monkeypatch.setenv("CISGRAM_MIRROR", str(mirror))
    paths = registry.fetch("toy", parts=["1", "2"])
    assert paths[:2] == [mirror / "people.panel", mirror / "Toy/chr1.vcf.gz"]
    assert asked == ["https://one.example/chr2.vcf.gz"]
    assert sorted(mirror.rglob("*")) == before
    (mirror / "people.panel").write_bytes(b"stale")
    with pytest.raises(DataError, match=r"mirror/people.panel is damaged"):
        registry.fetch("toy", parts=[])


def test_mirror_url_is_asked_first(asked, monkeypatch):
    monkeypatch.setenv("CISGRAM_MIRROR", "http://mirror.example/files/")
    registry.fetch("toy", parts=[])
    assert asked == ["http://mirror.example/files/people.panel"]


def test_mirror_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("CISGRAM_MIRROR", str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match=r"CISGRAM_MIRROR is .*gone, which is no directory"):
        registry.fetch("toy")


def test_unknown_part_is_refused(monkeypatch):
    with pytest.raises(ConfigError, match="Toy has no part 22, Y; it has 1, 2, X"):
        registry.fetch("toy", parts=["Y", "22", "1"])
    whole = replace(registry.find_dataset("toy"), files=())
    monkeypatch.setattr(registry, "_table", lambda: {"Toy": whole})
    with pytest.raises(ConfigError, match="Toy has no part 1; it comes whole"):
        registry.fetch("toy", parts=["1"])


def test_data_directory_follows_the_environment(monkeypatch, tmp_path):
    assert registry.data_directory() == tmp_path / "data"
    monkeypatch.delenv("CISGRAM_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert registry.data_directory() == tmp_path / "share/cisgram"
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry.data_directory() == tmp_path / ".local/share/cisgram"


def test_commands_print_and_write_what_they_did(tmp_path, capsys):
    run = cli.app
    run(["fetch", "toy", "--parts", "1", "X", "--json", str(tmp_path / "fetch.json")], **_QUIET)
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == [
        str(tmp_path / "data/Toy" / name) for name in ("people.panel", "chr1.vcf.gz", "chrX.vcf.gz")
    ]
    assert "no published checksum" not in out[0]
    assert "(no published checksum; held to sha256:" in out[1]
    fetched = json.loads((tmp_path / "fetch.json").read_text())
    assert [one["published_checksum"] is None for one in fetched] == [False, True, True]

    run(["list", "--json", str(tmp_path / "list.json")], **_QUIET)
    assert re.search(r"Toy .*3 of 4", capsys.readouterr().out)
    [listed] = json.loads((tmp_path / "list.json").read_text())
    assert [file["here"] for file in listed["files"]] == [True, True, False, True]

    run(["show", "toy", "--json", str(tmp_path / "show.json")], **_QUIET)
    shown = capsys.readouterr().out
    assert "chr2.vcf.gz (not here; size unknown)" in shown
    assert "  source    https://two.example/people.panel" in shown
    assert json.loads((tmp_path / "show.json").read_text()) == listed


_QUIET = {"exit_on_error": False, "print_error": False, "result_action": "return_value"}
