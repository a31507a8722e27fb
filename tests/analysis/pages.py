"""Reading back the pages that reports are."""

from html.parser import HTMLParser

from analysis import write_report

HOSTILE = "<script>alert('x')</script></style>\"'>{{ 7 * 7 }}{% raw %}<img src=x onerror=y>&lt;"


class Page(HTMLParser):
    """Collects elements, attributes and text of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(source)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.words.append(data)


def report_of(*runs):
    out = runs[0].parent / "pages" / "report.html"
    write_report(runs, out)
    assert [file.name for file in out.parent.iterdir()] == ["report.html"]
    return out.read_text(encoding="utf-8")
