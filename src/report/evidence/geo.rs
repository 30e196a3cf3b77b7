//! Locations of addresses, from a database in MaxMind's format (GeoLite2, GeoIP2, DB-IP).
//!
//! A report reads a table, so the places of the addresses in the log become one. The evidence keeps that table and not the
//! database: it is small, it says what the run knew, and the licence of such a database seldom lets anybody pass it on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use maxminddb::Reader;
use serde::Deserialize;

/// The part of a record that we read; databases of countries have only some of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Record {
    country: Country,
    registered_country: Country,
    city: City,
    location: Location,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Country {
    iso_code: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct City {
    names: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// Returns the rows of the input `ip_geo` for these addresses, as CSV. An error says what is wrong with the database.
pub fn places(database: &[u8], addresses: &[String]) -> Result<Vec<u8>, String> {
    let reader = Reader::from_source(database).map_err(|error| error.to_string())?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut write = |row: [&str; 5]| csv.write_record(row).map_err(|error| error.to_string());
    write(["ip", "country", "city", "lat", "long"])?;
    for address in addresses {
        let Ok(ip) = address.parse::<IpAddr>() else { continue };
        let found = reader.lookup(ip).map_err(|error| error.to_string())?;
        let Some(record) = found.decode::<Record>().map_err(|error| error.to_string())? else { continue };
        let Record { country, registered_country, city, location } = record;
        let country = country.iso_code.or(registered_country.iso_code).unwrap_or_default();
        let city = city.names.get("en").or_else(|| city.names.values().next()).cloned().unwrap_or_default();
        let degrees = |degrees: Option<f64>| degrees.map(|degrees| degrees.to_string()).unwrap_or_default();
        write([address, &country, &city, &degrees(location.latitude), &degrees(location.longitude)])?;
    }
    csv.into_inner().map_err(|error| error.to_string())
}
