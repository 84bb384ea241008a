"""CSV and TSV: separators, what spreadsheets leave around a table, and whether a quotation mark quotes."""

import pytest

from tuneoff.core import plugins
from tuneoff.core.errors import DataError

LABELLED = [f"text {n}\t{'praise' if n % 2 else 'complaint'}" for n in range(6)]


def read(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return list(plugins.load("formats", "csv")().read(path))


def tables(rows):
    assert not any(row.broken for row in rows), rows
    return [row.table for row in rows]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, mark):
    assert tables(read(tmp_path, "a.csv", f'text{mark}"la,;bel"\n"a{mark}b"{mark}c\n')) == [
        {"text": f"a{mark}b", "la,;bel": "c"}
    ]


def test_a_tsv_is_cut_at_tabs_whatever_its_header_holds(tmp_path):
    assert tables(read(tmp_path, "a.tsv", "a,b,c\td\n1,2,3\t4\n")) == [{"a,b,c": "1,2,3", "d": "4"}]


def test_the_lines_decide_where_the_header_has_two_separators(tmp_path):
    assert tables(read(tmp_path, "a.csv", "text, or so;label\na;x\nb, c, d;y\n"))[1] == {
        "text, or so": "b, c, d",
        "label": "y",
    }
    assert tables(read(tmp_path, "a.csv", "a,b|c,d\n1,2|3,4\n")) == [{"a": "1", "b|c": "2|3", "d": "4"}]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_the_separator_is_that_of_the_first_line(tmp_path, end):
    rows = read(tmp_path, "a.csv", end.join(["", "text,label", "x; y; z,praise", "u; v; w,complaint", ""]))
    assert tables(rows) == [{"text": "x; y; z", "label": "praise"}, {"text": "u; v; w", "label": "complaint"}]
    assert [row.line for row in rows] == [3, 4]


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;\r", "\nsep=;", "sep=;;;"])
def test_a_line_that_names_the_separator(tmp_path, line):
    rows = read(tmp_path, "a.csv", f"{line}\ntext, or so;label\na, b, c;x\n")
    assert tables(rows) == [{"text, or so": "a, b, c", "label": "x"}]
    assert rows[0].line == 3 + line.startswith("\n")
    assert tables(read(tmp_path, "a.tsv", "sep=^\ntext^label\na\tb^c\n")) == [{"text": "a\tb", "label": "c"}]
    assert read(tmp_path, "a.csv", "sep=;\n") == []


def test_what_spreadsheets_leave_around_a_table(tmp_path):
    rows = read(tmp_path, "a.csv", "text;;label;;\na;;x;;\nb;;y\n;;;;\nc;;z;;;;;\n  ; ;;;\n")
    assert tables(rows) == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}, {"text": "c", "label": "z"}]
    assert [row.line for row in rows] == [2, 3, 5]


def test_a_nameless_column_with_cells_is_kept_and_two_are_refused(tmp_path):
    assert tables(read(tmp_path, "a.csv", ",text,label\n0,a,x\n")) == [{"": "0", "text": "a", "label": "x"}]
    with pytest.raises(DataError) as error:
        read(tmp_path, "a.csv", "\ntext,,label,,\na,,x,1,2\n")
    assert "columns without a name: 4, 5" in str(error.value)
    assert "a.csv:2" in str(error.value)


def test_too_many_and_too_few_cells(tmp_path):
    rows = read(tmp_path, "a.csv", "text,label\na\na,b,c\na,b,\n")
    assert [row.broken for row in rows] == ["cells: 1, where the header has 2", "cells: 3, where the header has 2", ""]


def test_a_column_named_twice(tmp_path):
    with pytest.raises(DataError, match="names a column twice: 'text'"):
        read(tmp_path, "a.csv", "text,text\n1,2\n")


def test_long_cells(tmp_path):
    assert len(read(tmp_path, "a.csv", f"text,label\n{'x' * 200_000},y\n")[0].table["text"]) == 200_000


def test_lines_count_cells_of_several_lines(tmp_path):
    rows = read(tmp_path, "a.csv", 'text,label\n"one\ntwo",x\n\nthree,y\nfour\n"five"5,z\nsix,x\n')
    assert [(row.line, row.table.get("text")) for row in rows] == [
        (2, "one\ntwo"), (5, "three"), (6, None), (7, None), (8, "six"),
    ]  # fmt: skip
    assert rows[2].broken == "cells: 1, where the header has 2"
    assert "not valid CSV" in rows[3].broken
    assert 'a quotation mark is written twice ("")' in rows[3].broken


class TestQuotationMarks:
    @pytest.mark.parametrize("name", ["a.tsv", "a.csv"])
    def test_one_that_opens_and_never_closes(self, tmp_path, name):
        lines = ["text\tlabel", *LABELLED[:3], '"Great lamp they said\tpraise', *LABELLED[3:]]
        rows = read(tmp_path, name, "\n".join(lines))
        assert [row.line for row in rows] == list(range(2, 9))
        assert tables(rows)[3] == {"text": '"Great lamp they said', "label": "praise"}

    @pytest.mark.parametrize("last", ['a screen of 6"\tpraise', 'and said "wow"\tpraise'])
    def test_one_that_another_row_closes(self, tmp_path, last):
        lines = ["text\tlabel", *LABELLED[:3], '"Great lamp\tpraise', *LABELLED[3:], last]
        rows = tables(read(tmp_path, "a.tsv", "\n".join(lines)))
        assert len(rows) == 8
        assert [rows[3]["text"], rows[7]["text"]] == ['"Great lamp', last.partition("\t")[0]]

    def test_texts_that_no_label_follows(self, tmp_path):
        lines = ["de\ten", "eins\tone", '"zwei\ttwo', "drei\tthree", "\t", 'vier"\tfour', "one cell"]
        rows = read(tmp_path, "a.tsv", "\n".join(lines))
        assert [row.table.get("de") for row in rows] == ["eins", '"zwei', "drei", 'vier"', None]
        assert rows[-1].broken == "cells: 1, where the header has 2"

    def test_a_csv_whose_lines_are_whole_without_quoting(self, tmp_path):
        text = 'text,label\nthe tent is great,praise\n"Great lamp,praise\na screen of 6",complaint\n'
        assert [row["text"] for row in tables(read(tmp_path, "a.csv", text))] == [
            "the tent is great", '"Great lamp', 'a screen of 6"',
        ]  # fmt: skip

    @pytest.mark.parametrize("end", ['a screen of 6",praise', ""])
    def test_a_csv_with_quoted_cells_names_the_line_where_it_opens(self, tmp_path, end):
        lines = ["text,label", '"good, and cheap",praise', "bad,complaint", '"Great lamp,praise', "poor,complaint", end]
        rows = read(tmp_path, "a.csv", "\n".join(lines))
        broken = [(row.line, row.broken) for row in rows if row.broken]
        assert [line for line, _ in broken] == [4]
        assert ("runs to line 6, over what look like rows" if end else "never closed") in broken[0][1]
        assert [row.line for row in rows] == [2, 3, 4, 5, 6][: 5 if end else 4]

    @pytest.mark.parametrize(
        "text",
        [
            'text,label\n"Dear Sir,\nYes, it came\nBest, Ann",praise\n"Dear Sir,\nNo\nBest, Ann",complaint\nx,praise\n',
            'label,text\npraise,"I like it\nvery much, thanks"\npraise,"So\ndo I"\ncomplaint,no\n',
            'text\tlabel\n"one\ntwo"\tpraise\n"a\tb"\tpraise\nthree\tcomplaint\n',
            '"text"\t"label"\n"a\tb\nc"\t"praise"\n"d"\t"praise"\n',
        ],
    )
    def test_letters_in_quoted_cells_stay_whole(self, tmp_path, text):
        rows = tables(read(tmp_path, "a.csv", text))
        assert len(rows) == (2 if text.startswith('"') else 3)
        assert all(row["label"] in ("praise", "complaint") for row in rows)
        assert "\n" in rows[0]["text"]

    def test_marks_written_twice_are_one(self, tmp_path):
        assert tables(read(tmp_path, "a.tsv", 'text\tlabel\n"he said ""no"""\tx\n')) == [
            {"text": 'he said "no"', "label": "x"}
        ]

    def test_columns_that_are_quoted_throughout_lose_their_marks(self, tmp_path):
        text = 'text,label\n"he said "no" to me","x"\n"and ""yes"" to you","y"\n'
        assert tables(read(tmp_path, "a.csv", text)) == [
            {"text": 'he said "no" to me', "label": "x"},
            {"text": 'and "yes" to you', "label": "y"},
        ]

    def test_a_broken_header(self, tmp_path):
        with pytest.raises(DataError) as error:
            read(tmp_path, "a.csv", '"text,label\na,b,c\n')
        assert "never closed" in str(error.value)
        assert "a.csv:1" in str(error.value)
