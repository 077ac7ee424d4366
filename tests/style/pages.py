"""What the style test asks of Markdown pages: links lead somewhere, decision pages have their sections and are listed."""
import importlib.machinery
import importlib.util
import pathlib
import re
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTIONS = ('Context', 'Choice', 'Consequence', 'What would change it')


def without_code(text):
    """Blanks code blocks and code spans, keeping line numbers: what stands there is no link."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match.group(0))
    text = re.sub(r'^```.*?^```', blank, text, flags=re.M | re.S)
    return re.sub(r'`[^`\n]*`', blank, text)


def anchors(text):
    """The anchors of a page's headings, as they are made on the web: "A b, c" is "a-b-c"."""
    text = re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)
    headings = re.findall(r'^#+ +(.*?)\s*$', text, flags=re.M)
    return {re.sub(r'[^\w\- ]', '', h.lower()).replace(' ', '-') for h in headings}


def links(path, text):
    for match in re.finditer(r'\[[^\]]*\]\(([^()\s]+)\)', without_code(text)):
        to = urllib.parse.unquote(match.group(1))
        if re.match(r'[a-z]+:', to):
            continue
        line = text.count('\n', 0, match.start()) + 1
        file, _, anchor = to.partition('#')
        there = (ROOT / path).parent / file if file else ROOT / path
        if not there.exists():
            yield f'{path}:{line}: link to {to}: no such file'
        elif anchor and there.suffix == '.md' and anchor not in anchors(there.read_text()):
            yield f'{path}:{line}: link to {to}: the page has no such heading'


def decision(path, text):
    if not re.match(r'# \d{4}:? ', text):
        yield f'{path}:1: a decision page begins with "# NNNN: Title"'
    elif not pathlib.Path(path).name.startswith(text[2:6] + '-'):
        yield f'{path}:1: the number of the title is not the number of the file'
    found = re.findall(r'^## (.*?)\s*$', text, flags=re.M)
    if found != list(SECTIONS):
        yield f'{path}:1: a decision page has the sections "## ' + '", "## '.join(SECTIONS) + '", in this order'


def decision_index():
    script = ROOT / 'docs/generate_decision_index'
    loader = importlib.machinery.SourceFileLoader('generate_decision_index', str(script))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    page = ROOT / 'docs/decisions/README.md'
    if not page.exists() or page.read_text() != module.index():
        yield 'docs/decisions/README.md:1: it does not list the pages that are there: run docs/generate_decision_index'


def findings(paths):
    """Findings about these Markdown pages, and about the list of decisions."""
    for path in paths:
        text = (ROOT / path).read_text()
        yield from links(path, text)
        if re.match(r'docs/decisions/\d', path):
            yield from decision(path, text)
    yield from decision_index()
