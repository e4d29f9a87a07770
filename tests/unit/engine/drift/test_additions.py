"""Additions by hand: what gives rights or is run, and files of packages that were changed (S-42)."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from keybuzz.agent.guard import opener
from keybuzz.agent.host import additions
from keybuzz.agent.host import packaged as packages
from keybuzz.transport.said.veil import Veil


class TestAdditions:
    """S-42: what gives rights, or is run."""

    @pytest.fixture(autouse=True)
    def files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("drop", "sudoers", "cron"):
            (tmp_path / name).mkdir()
        packaged = tmp_path / "cron" / "packaged"
        packaged.write_text("17 * * * * root run-parts\n")
        digest = hashlib.md5(packaged.read_bytes(), usedforsecurity=False).hexdigest()
        status = (
            "Package: cron\nStatus: install ok installed\nVersion: 3.0\nArchitecture: all\n"
            f"Conffiles:\n {packaged} {digest}\n\nPackage: other\nVersion: 1\n"
        )
        (tmp_path / "status").write_text(status)
        (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
        monkeypatch.setattr(additions, "_DROP_INS", (str(tmp_path / "drop"),))
        monkeypatch.setattr(additions, "_SUDO", str(tmp_path / "sudoers"))
        monkeypatch.setattr(additions, "_BOOT", str(tmp_path / "rc.local"))
        monkeypatch.setattr(additions, "_SYSCTL", (str(tmp_path / "sysctl.d"),))
        monkeypatch.setattr(additions, "_SYSCTL_OWN", str(tmp_path / "sysctl.conf"))
        monkeypatch.setattr(packages, "STATUS", str(tmp_path / "status"))
        monkeypatch.setattr(packages, "INFO", str(tmp_path / "info"))
        monkeypatch.setattr(packages, "DIVERSIONS", str(tmp_path / "diversions"))
        monkeypatch.setattr(packages, "ARCHIVES", str(tmp_path / "archives"))
        monkeypatch.setattr(additions, "_PASSWD", str(tmp_path / "passwd"))
        watched = (f"{tmp_path}/cron", f"{tmp_path}/sudoers", f"{tmp_path}/systemd")
        monkeypatch.setattr(packages, "CONFFILES", watched)
        monkeypatch.setattr(packages, "SHIPPED", tuple(path.lstrip("/") for path in watched))

    def test_a_host_as_it_came_has_none(self, tmp_path: Path) -> None:
        assert additions.additions([]) == []

    @pytest.mark.parametrize(
        ("name", "what"),
        [
            ("drop/override.conf", "changes a unit of a package"),
            ("sudoers/deploy", "gives rights of root"),
            ("rc.local", "is run at each boot"),
        ],
    )
    def test_a_file_by_hand_is_told_unless_it_is_described(
        self, tmp_path: Path, name: str, what: str
    ) -> None:
        path = tmp_path / name
        path.write_text("x\n")
        assert additions.additions([]) == [[str(path), what]]
        assert additions.additions([str(path)]) == []

    def test_a_file_that_sets_the_kernel_is_told_by_what_it_sets(self, tmp_path: Path) -> None:
        folder = tmp_path / "sysctl.d"
        folder.mkdir()
        (folder / "99-sysctl.conf").symlink_to("../sysctl.conf")  # as procps brings it
        (folder / "README").write_text("a.b = 1\n")
        assert additions.additions([]) == []
        (folder / "zz.conf").write_text("# a note = x\nnet.a = 1\n-net.b=2\n\n")
        found = [[str(folder / "zz.conf"), "sets net.a, net.b at each boot"]]
        assert additions.additions([]) == found
        assert additions.additions([found[0][0]]) == []

    def test_a_line_added_to_a_file_of_a_package_is_told(self, tmp_path: Path) -> None:
        packaged = tmp_path / "cron" / "packaged"
        packaged.write_text(packaged.read_text() + "* * * * * root /tmp/x\n")
        [[path, what]] = additions.additions([])
        assert path == str(packaged)
        assert what == (
            "was changed since its package was installed: its original is not here; "
            "`apt-get download cron=3.0` brings it"
        )

    def test_it_is_told_line_by_line_where_its_original_is_beside_it(self, tmp_path: Path) -> None:
        packaged = tmp_path / "cron" / "packaged"
        (tmp_path / "cron" / "packaged.dpkg-dist").write_bytes(packaged.read_bytes())
        packaged.write_text("17 * * * * root run-parts --new\n\n* * * * * root /tmp/x\n")
        [[_, what]] = additions.additions([])
        told = what.partition("installed: ")[2].split("; ")
        assert told == [
            "- 17 * * * * run-parts",
            "+ 17 * * * * run-parts …",
            "+ * * * * * /tmp/x",
        ]

    def test_another_file_beside_it_is_no_original(self, tmp_path: Path) -> None:
        packaged = tmp_path / "cron" / "packaged"
        (tmp_path / "cron" / "packaged.dpkg-dist").write_text("of a newer package\n")
        packaged.write_text("x\n")
        [[_, what]] = additions.additions([])
        assert "its original is not here" in what

    def test_the_archive_that_apt_has_kept_has_the_original(self, tmp_path: Path) -> None:
        if shutil.which("dpkg-deb") is None:
            pytest.skip("no dpkg-deb here")
        packaged = tmp_path / "cron" / "packaged"
        tree = tmp_path / "tree"
        (tree / str(packaged.parent).lstrip("/")).mkdir(parents=True)
        (tree / str(packaged).lstrip("/")).write_bytes(packaged.read_bytes())
        (tree / "DEBIAN").mkdir()
        control = "Package: cron\nVersion: 3.0\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n"
        (tree / "DEBIAN" / "control").write_text(control)
        (tmp_path / "archives").mkdir()
        archive = str(tmp_path / "archives" / "cron_3.0_all.deb")
        subprocess.run(["dpkg-deb", "-b", str(tree), archive], check=True, capture_output=True)
        packaged.write_text(packaged.read_text() + "* * * * * root /tmp/x\n")
        [[_, what]] = additions.additions([])
        assert what.endswith("installed: + * * * * * /tmp/x")

    def test_a_unit_of_a_package_that_is_no_conffile_is_told_unless_it_is_diverted(
        self, tmp_path: Path
    ) -> None:
        unit = tmp_path / "systemd" / "x.service"
        unit.parent.mkdir()
        unit.write_text("[Service]\nExecStart=/bin/true\n")
        digest = hashlib.md5(unit.read_bytes(), usedforsecurity=False).hexdigest()
        (tmp_path / "info").mkdir()
        line = f"{digest}  {str(unit).lstrip('/')}\n"
        (tmp_path / "info" / "other.md5sums").write_text(line)
        assert additions.additions([]) == []
        unit.write_text("[Service]\nExecStart=/tmp/x\n")
        assert [path for path, _ in additions.additions([])] == [str(unit)]
        (tmp_path / "diversions").write_text(f"{unit}\n{unit}.distrib\nother\n")
        assert additions.additions([]) == []

    def test_a_password_in_a_line_is_masked_on_its_way_to_people(self, tmp_path: Path) -> None:
        packaged = tmp_path / "cron" / "packaged"
        (tmp_path / "cron" / "packaged.dpkg-dist").write_bytes(packaged.read_bytes())
        packaged.write_text("17 * * * * root run-parts\nMAIL_PASSWORD=needle-in-cron\n")
        [[_, what]] = additions.additions([])
        assert "needle-in-cron" not in Veil(b"k" * 32).text(what)

    def beside(self, path: Path, changed: str) -> str:
        """Change a file whose original is beside it, and return what is told of it."""
        original = path.read_bytes()
        path.with_name(f"{path.name}.dpkg-dist").write_bytes(original)
        digest = hashlib.md5(original, usedforsecurity=False).hexdigest()
        root = next(folder for folder in path.parents if (folder / "status").exists())
        with (root / "status").open("a") as status:
            status.write(f"\nPackage: more\nVersion: 1\nConffiles:\n {path} {digest}\n")
        path.write_text(changed)
        [[_, what]] = additions.additions([])
        return str(what).partition("installed: ")[2]

    def test_a_command_is_told_without_its_arguments(self, tmp_path: Path) -> None:
        """Positional passwords are known by no rule, so that they never leave the host."""
        unit = tmp_path / "systemd" / "x.service"
        unit.parent.mkdir()
        unit.write_text("[Service]\nExecStart=/bin/x\n")
        assert self.beside(
            unit,
            "[Service]\nExecStart=-/bin/x --license needle \\\n  --more=needle needle\n"
            "Environment=A=needle\n# needle\n",
        ).split("; ") == [
            "- ExecStart=/bin/x",
            "+ ExecStart=/bin/x …",
            "+ …",
            "+ Environment=…",
            "+ # …",
        ]

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("1 2 * * * root /bin/backup needle", "1 2 * * * /bin/backup …"),
            ("@daily root (MYSQL_PWD=needle dump)", "@daily …"),
            ("1 2 * * * root A='needle needle' dump x", "1 2 * * * dump …"),
            ("1 2 * * * root dump 'needle", "1 2 * * * …"),
            ("WORD = needle", "WORD=…"),
            ("# 1 2 * * * root dump needle", "# …"),
            ("needle! for no time at all", "…"),
        ],
    )
    def test_no_word_of_a_line_of_cron_is_a_password(
        self, tmp_path: Path, line: str, told: str
    ) -> None:
        table = tmp_path / "cron" / "table"
        table.write_text("")
        assert self.beside(table, line + "\n") == f"+ {told}"

    def test_the_lines_of_a_script_are_counted_only(self, tmp_path: Path) -> None:
        script = tmp_path / "cron.daily" / "dump"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\ntrue\n")
        told = self.beside(script, "#!/bin/sh\ncat <<END\nneedle\nEND\n")
        assert told == "a script, whose lines are not told: 3 more, 1 fewer"

    def test_a_setting_of_another_file_is_told_whole(self, tmp_path: Path) -> None:
        file = tmp_path / "sudoers.x"
        file.write_text("")
        assert self.beside(file, "x ALL=(ALL) NOPASSWD: ALL\n") == "+ x ALL=(ALL) NOPASSWD: ALL"

    def test_one_file_that_cannot_be_read_takes_no_other_with_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(opener, "LARGE", 4096)
        (tmp_path / "cron" / "packaged").write_text("x" * 4097)
        (tmp_path / "sudoers" / "deploy").write_text("x\n")
        (tmp_path / "info").mkdir()
        (tmp_path / "info" / "other.md5sums").mkdir()
        told = dict(additions.additions([]))
        assert told == {
            f"{tmp_path}/cron/packaged": (
                "cannot be compared with its package: "
                f"{tmp_path}/cron/packaged is longer than the 4096 bytes that are read of it"
            ),
            f"{tmp_path}/info/other.md5sums": (
                "its package's files cannot be compared: "
                f"{tmp_path}/info/other.md5sums must be a file and is a directory"
            ),
            f"{tmp_path}/sudoers/deploy": "gives rights of root",
        }

    def test_a_file_that_goes_while_it_is_looked_at_was_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = opener.read

        def late(path: str, most: int, *, final: bool = False) -> bytes:
            if path.endswith("cron/packaged"):
                Path(path).unlink()
            return read(path, most, final=final)

        monkeypatch.setattr(opener, "read", late)
        assert additions.additions([]) == []

    def test_a_link_or_a_folder_in_the_place_of_a_file_is_told(self, tmp_path: Path) -> None:
        packaged = tmp_path / "cron" / "packaged"
        elsewhere = tmp_path / "elsewhere"
        elsewhere.write_bytes(packaged.read_bytes())
        packaged.unlink()
        packaged.symlink_to(elsewhere)
        assert additions.additions([]) == []
        was = "was changed since its package was installed:"
        for target in (elsewhere, Path("/dev/null"), tmp_path / "nothing"):
            elsewhere.write_text("* * * * * root /tmp/x\n")
            packaged.unlink()
            packaged.symlink_to(target)
            assert additions.additions([]) == [[str(packaged), f"{was} a link to {target} now"]]
        packaged.unlink()
        packaged.mkdir()
        assert additions.additions([]) == [[str(packaged), f"{was} a directory now"]]

    def test_a_link_that_is_run_at_boot_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "rc.local").symlink_to("/root/boot")
        assert additions.additions([]) == [[f"{tmp_path}/rc.local", "is run at each boot"]]

    def test_a_second_root_is_told(self, tmp_path: Path) -> None:
        with (tmp_path / "passwd").open("a") as file:
            file.write("toor:x:0:0::/root:/bin/sh\n")
        assert additions.additions([]) == [["account toor", "is root under another name"]]
