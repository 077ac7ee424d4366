"""Case: one request that both ends get, in which versions, what must happen before it, and what is asked afterwards."""
from .odd import odd_structs

EDGES = 'edges'  # the lowest and the highest version


class Step:
    """A request before or after a case's own. Only the answers of those after it are compared. `save`: called with the end and the answer."""

    def __init__(self, api, version, request, save=None):
        self.api, self.version, self.request, self.save = api, version, request, save


class Case:
    def __init__(self, api, words, request, versions=EDGES, prepare=(), save=None, then=()):
        self.api, self.words, self.request, self.versions = api, words, request, versions
        self.prepare, self.save, self.then = prepare, save, then  # with `save`, later cases need this one

    def versions_of(self, api):
        low, high = api.versions
        if self.versions == EDGES:
            return sorted({low, high})
        return [v for v in self.versions if low <= v <= high]


class Family:
    """A request that is right, and each odd request that is one field away from it."""

    def __init__(self, api, request, prepare=(), skip=(), versions=EDGES, words='', then=()):
        self.case = Case(api, words, request, versions, prepare, then=then)
        self.skip = skip

    def cases(self, api):
        for version in self.case.versions_of(api):
            right = self.fit(api, version)
            for words, request in (('as it should be', right), *odd_structs(api.request.body, version, right, self.skip)):
                yield Case(api.name, self.case.words + words, request, [version], self.case.prepare, then=self.case.then)

    def fit(self, api, version):
        """The request of this version: what the version does not have is left out."""
        return self.fit_struct(api.request.body, version, self.case.request)

    def fit_struct(self, struct_, version, value):
        out = {}
        for field in struct_.fields:
            if not field.versions[0] <= version <= field.versions[1] or field.name not in value:
                continue
            one = value[field.name]
            if field.struct and isinstance(one, list):
                one = [self.fit_struct(field.struct, version, element) for element in one]
            elif field.struct and one is not None:
                one = self.fit_struct(field.struct, version, one)
            out[field.name] = one
        return out


def expand(tables, apis):
    for entry in tables:
        if isinstance(entry, Family):
            yield from entry.cases(apis[entry.case.api])
        else:
            yield entry
