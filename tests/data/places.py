"""Writes places.mmdb, a small database in MaxMind's format. Needs `pip install mmdb_writer`.

usage: python3 tests/data/places.py
"""

from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

PLACES = [
    ("198.51.100.0/25", "DE", {"en": "Berlin", "de": "Berlin"}, 52.52, 13.405),
    ("198.51.100.128/25", "NZ", {"en": "Auckland"}, -36.85, 174.76),
    ("203.0.113.0/24", "BR", {"pt-BR": "São Paulo"}, -23.55, -46.63),
    ("2001:db8::/32", "JP", {"en": "Tokyo"}, 35.68, 139.69),
]

writer = MMDBWriter(6, "Test-City", languages=["en"], description="places of documentation addresses", ipv4_compatible=True)
for network, country, names, latitude, longitude in PLACES:
    record = {
        "country": {"iso_code": country},
        "city": {"names": names},
        "location": {"latitude": latitude, "longitude": longitude},
    }
    writer.insert_network(IPSet([network]), record)
writer.insert_network(IPSet(["192.0.2.0/24"]), {"registered_country": {"iso_code": "US"}})
writer.to_db_file(str(Path(__file__).with_name("places.mmdb")))
