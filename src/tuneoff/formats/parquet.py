"""Apache Parquet, read in batches through pyarrow. A row's line is its number, from 1."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.core.files import written
from tuneoff.data.arrow import arrow_rows, arrow_table, kept_class_names
from tuneoff.data.format import Format, Row

__all__ = ["Parquet"]


class Parquet(Format):
    """One Parquet file."""

    suffixes = (".parquet", ".pq")

    def read(self, path: str | Path) -> Iterator[Row]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                names = kept_class_names(file.schema_arrow)
                tables = (table for batch in file.iter_batches() for table in arrow_rows(batch, names, path))
                yield from (Row(table, line) for line, table in enumerate(tables, start=1))
        except (pa.ArrowException, OSError) as error:
            raise DataError("not a readable Parquet file", where=path, found=str(error).partition("\n")[0]) from None

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow.parquet as pq

        with written(Path(path)) as temporary:
            pq.write_table(arrow_table(tables), temporary)
