"""Every data format that the package holds, through the shipped kit; and the kit through formats that are wrong."""

import pytest

from tuneoff.core import plugins
from tuneoff.data.format import Format, Row
from tuneoff.testing.formats import CHECKS, check_bad_bytes, check_contract, check_empty, check_round_trip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", plugins.names("formats"))
def test_format(name, check, tmp_path):
    check(plugins.load("formats", name), tmp_path)


class Forgetful(Format):
    """Loses the last row, takes every name, and counts all lines as 1."""

    suffixes = (".lost",)

    @classmethod
    def accepts(cls, path):
        return True

    def read(self, path):
        lines = path.read_bytes().decode(errors="replace").split("\n")[:-1] or ["?"]
        return iter([Row({"text": line}, 1) for line in lines])

    def write(self, path, tables):
        path.write_text("\n".join(table["text"] for table in tables))


@pytest.mark.parametrize("check", [check_contract, check_round_trip, check_empty, check_bad_bytes])
def test_the_kit_finds_what_is_wrong(check, tmp_path):
    with pytest.raises(AssertionError):
        check(Forgetful, tmp_path)
