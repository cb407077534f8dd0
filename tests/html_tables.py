"""Reads the tables of an HTML page: caption → rows of cell texts, header row first."""

from html.parser import HTMLParser


class _Tables(HTMLParser):
    """Collects the cells of every table, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._text: list[str] | None = None
        self._caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in {"td", "th", "caption"}:
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.tables[self._caption] = self._rows
        if tag in {"td", "th", "caption"} and self._text is not None:
            words = " ".join("".join(self._text).split())
            self._text = None
            if tag == "caption":
                self._caption = words
            else:
                self._rows[-1].append(words)


def html_tables(page: str) -> dict[str, list[list[str]]]:
    """Caption → rows of cell texts, for every table of a page."""
    parser = _Tables()
    parser.feed(page)
    return parser.tables
