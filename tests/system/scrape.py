"""Reading /metrics and /readyz as a monitoring system does."""
import re
import urllib.error
import urllib.request


def http_of(world, name):
    """The HTTP address in the `ready:` line of a program that was started with --http."""
    return re.search(r'^ready:.* http (\S+)', (world.directory / f'{name}.out').read_text(), re.M).group(1)


def get(address, path):
    """(status, body)"""
    try:
        with urllib.request.urlopen(f'http://{address}{path}', timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics(address):
    """{'name{label="value"}': number}, labels as printed."""
    found = {}
    for line in get(address, '/metrics')[1].splitlines():
        if line and not line.startswith('#'):
            series, value = line.rsplit(' ', 1)
            found[series] = float(value)
    return found


def total(address, name, **labels):
    """The sum of all series of a family that have these labels."""
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(value for series, value in metrics(address).items()
               if series.split('{')[0] == name and all(w in series for w in wanted))
