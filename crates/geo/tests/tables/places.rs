//! What sound tables say.

use crate::made::{Is, put, table};
use crate::{cidr, data, ip, load, now, numbers, told};
use nearside_core::place::{Country, Place, Subdivision};
use nearside_geo::{Source, Spec, Tables};
use std::fs;

fn country(code: &str) -> Place {
    Place::of(Country::parse(code).unwrap())
}

fn check(tables: &Tables, address: &str, expected: &str) {
    assert_eq!(told(tables.place(ip(address))), expected, "{address}");
}

#[test]
fn they_say_what_their_makers_reader_finds() {
    let text = fs::read_to_string(data("expected.csv")).unwrap();
    let mut rows = 0;
    for row in text.lines().skip(1) {
        let [file, address, prefix, found, continent, country, _, registered, _, state, _, lat, lon, _, asn] =
            *row.split(',').collect::<Vec<_>>()
        else {
            panic!("{row}");
        };
        let tables = load(&[data(&format!("{file}.mmdb"))]).unwrap();
        let known = tables.find(ip(address));
        assert_eq!(known.asn, asn.parse().ok(), "{row}");
        let expected = if country.is_empty() { registered } else { country };
        let place = known.place;
        assert_eq!(place.country, Country::parse(expected).unwrap_or(Country::UNKNOWN), "{row}");
        let state = (!state.is_empty()).then(|| format!("{country}-{state}"));
        assert_eq!(place.state.map(|state| state.to_string()), state, "{row}");
        if !continent.is_empty() {
            assert_eq!(place.continent.map(|continent| continent.as_str()), Some(continent), "{row}");
        }
        if !lat.is_empty() {
            let position = place.position.unwrap();
            assert_eq!(
                (position.lat(), position.lon()),
                (lat.parse().unwrap(), lon.parse().unwrap()),
                "{row}"
            );
        }
        // An address of the form ::ffff:a.b.c.d is asked for as a.b.c.d.
        if found == "1" && known.source != Source::Nobody && !address.contains("ffff:") {
            assert_eq!(known.network.unwrap().prefix.to_string(), prefix, "{row}");
        }
        rows += 1;
    }
    assert_eq!(rows, 144);
}

#[test]
fn flat_tables_of_several_vendors_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flat.mmdb");
    let text = |name, text| (name, Is::Text(text));
    let networks = [
        (
            "1.0.0.0/8",
            Is::Map(vec![text("country_code", "gb"), text("latitude", "51.5"), text("longitude", "-0.1")]),
        ),
        (
            "2.0.0.0/8",
            Is::Map(vec![text("country", "US"), text("region_code", "CA"), text("continent", "NA")]),
        ),
        (
            "3.0.0.0/8",
            Is::Map(vec![text("country", "Japan"), text("country_code", "JP"), text("asn", "AS2516")]),
        ),
        (
            "4.0.0.0/8",
            Is::Map(vec![
                text("state_code", "de-by"),
                text("country_code", "DE"),
                ("lat", Is::Number(48.1)),
                ("lng", Is::Number(11.6)),
            ]),
        ),
        ("5.0.0.0/8", Is::Map(vec![("registered_country", Is::Map(vec![text("iso_code", "FR")]))])),
        (
            "6.0.0.0/8",
            Is::Map(vec![
                text("country_code", "QQ"),
                ("registered_country", Is::Map(vec![text("iso_code", "FR")])),
            ]),
        ),
        (
            "7.0.0.0/8",
            Is::Map(vec![
                ("represented_country", Is::Map(vec![text("iso_code", "US")])),
                text("continent_code", "AS"),
            ]),
        ),
        ("2a00::/12", Is::Map(vec![text("country_code", "NO")])),
    ];
    put(&path, &table(1, &networks));
    let tables = load(&[path]).unwrap();
    check(&tables, "1.2.3.4", "GB (EU)");
    assert_eq!(tables.place(ip("1.2.3.4")).position.map(|it| (it.lat(), it.lon())), Some((51.5, -0.1)));
    check(&tables, "2.2.3.4", "US-CA (NA)");
    check(&tables, "3.2.3.4", "JP (AS)");
    assert_eq!(tables.find(ip("3.2.3.4")).asn, Some(2516));
    check(&tables, "4.2.3.4", "DE-BY (EU)");
    check(&tables, "5.2.3.4", "FR (EU)");
    check(&tables, "6.2.3.4", "ZZ (-)");
    check(&tables, "7.2.3.4", "ZZ (AS)");
    check(&tables, "::ffff:7.2.3.4", "ZZ (AS)");
    check(&tables, "2a00::1", "NO (EU)");
    check(&tables, "8.2.3.4", "ZZ (-)");
}

#[test]
fn tables_complete_each_other_and_the_first_that_knows_a_country_decides() {
    let files = ["GeoLite2-ASN-Test.mmdb", "GeoLite2-Country-Test.mmdb", "GeoIP2-City-Test.mmdb"].map(data);
    let tables = load(&files).unwrap();
    let found = tables.find(ip("216.160.83.56"));
    assert_eq!((told(found.place).as_str(), found.asn), ("US-WA (NA)", Some(209)));
    assert_eq!(found.place.position.map(|it| it.lat()), Some(47.2513));
    assert_eq!((found.source, found.network), (Source::File(&files[1]), Some(cidr("216.160.83.56/29"))));
    assert_eq!(tables.find(ip("214.0.0.1")).source, Source::File(&files[2]));
    assert_eq!(tables.find(ip("127.0.0.1")).source, Source::Nobody);

    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.mmdb");
    let record =
        Is::Map(vec![("country_code", Is::Text("DE")), ("lat", Is::Number(1.0)), ("lon", Is::Number(2.0))]);
    put(&other, &table(1, &[("81.2.69.0/24", record)]));
    let tables = load(&[data("GeoLite2-Country-Test.mmdb"), other]).unwrap();
    assert_eq!(tables.place(ip("81.2.69.142")), country("GB"), "what contradicts is left out whole");
}

#[test]
fn a_table_of_ipv4_alone_knows_nothing_of_ipv6() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v4.mmdb");
    // The metadata is the same but for this number; the tree is then read as one of IPv4.
    let bytes = table(1, &[("8000::/1", Is::Map(vec![("country_code", Is::Text("SE"))]))]);
    let at = bytes.windows(12).position(|window| window == b"ip_version\xa1\x06").unwrap() + 11;
    let bytes: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| if i == at { 4 } else { *b }).collect();
    put(&path, &bytes);
    let pair = load(&[path.clone(), data("GeoLite2-Country-Test.mmdb")]).unwrap();
    check(&load(&[path]).unwrap(), "2a02:cf40::1", "ZZ (-)");
    check(&pair, "2a02:cf40::1", "NO (EU)");
    check(&pair, "200.0.0.1", "SE (EU)");
    check(&pair, "::ffff:200.0.0.1", "SE (EU)");
}

#[test]
fn an_override_wins_and_the_longest_of_several() {
    let state = Place::in_state(Subdivision::parse("US-CA").unwrap());
    let overrides = [("81.2.69.142/32", state), ("81.2.0.0/16", country("NO")), ("2a02::/16", country("CH"))];
    let overrides = overrides.map(|(network, place)| (cidr(network), place));
    let files = [data("GeoLite2-Country-Test.mmdb"), data("GeoLite2-ASN-Test.mmdb")];
    let tables =
        Tables::load(Spec { files: &files, overrides: &overrides, canaries: &[] }, None, now()).unwrap();
    check(&tables, "81.2.69.142", "US-CA (NA)");
    check(&tables, "::ffff:81.2.69.143", "NO (EU)");
    check(&tables, "2a02:cf40::1", "CH (EU)");
    check(&tables, "89.160.20.112", "SE (EU)");
    let found = tables.find(ip("81.2.69.142"));
    assert_eq!((found.source, found.network), (Source::Override, Some(cidr("81.2.69.142/32"))));
}

#[test]
fn the_longest_override_is_found_among_many() {
    let mut number = numbers(7);
    let all: Vec<Country> = Country::all().collect();
    let overrides: Vec<_> = (0..500)
        .map(|i| {
            let prefix = u8::try_from(number() % 17).unwrap();
            // Few high bits vary, so that networks hold each other.
            let bits = u32::try_from(number() & 0xf0f0).unwrap() << 16;
            let address = bits & !u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
            let network =
                nearside_core::generation::Cidr { address: std::net::IpAddr::V4(address.into()), prefix };
            (network, Place::of(all[i % all.len()]))
        })
        .collect();
    let tables = Tables::load(Spec { overrides: &overrides, ..Spec::default() }, None, now()).unwrap();
    for _ in 0..2000 {
        let address = u32::try_from(number() & 0xffff_ffff).unwrap() & 0xf0f0_ffff;
        let holds = |network: &nearside_core::generation::Cidr| {
            let std::net::IpAddr::V4(v4) = network.address else { return false };
            (u32::from(v4) ^ address).leading_zeros() >= u32::from(network.prefix)
        };
        let longest =
            overrides.iter().filter(|(network, _)| holds(network)).max_by_key(|(network, _)| network.prefix);
        let found = tables.find(std::net::IpAddr::V4(address.into()));
        match longest {
            Some((network, place)) => assert_eq!((found.network, found.place), (Some(*network), *place)),
            None => assert_ne!(found.source, Source::Override),
        }
    }
}

#[test]
fn without_files_the_embedded_table_answers() {
    let tables = Tables::load(Spec::default(), None, now()).unwrap();
    check(&tables, "8.8.8.8", "US (NA)");
    check(&tables, "::ffff:193.0.6.139", "NL (EU)");
    check(&tables, "2001:218::1", "JP (AS)");
    check(&tables, "10.1.2.3", "ZZ (-)");
    assert_eq!(tables.find(ip("8.8.8.8")).source, Source::Embedded);
    assert_eq!(tables.find(ip("10.1.2.3")).source, Source::Nobody);
    assert!(tables.place(ip("8.8.8.8")).position.is_some());
}

#[test]
fn no_table_knows_nothing() {
    check(&Tables::none(), "8.8.8.8", "ZZ (-)");
}
