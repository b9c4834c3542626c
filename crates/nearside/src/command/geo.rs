//! `nearside geo`: where addresses are, who says so, and what a new table would change.

use crate::args::GeoArgs;
use crate::explanation::place_of;
use crate::told::{list, text_or_dash, texts};
use crate::{Done, file, gates, out};
use nearside_core::place::{Country, Place};
use nearside_core::residency::{Law, Residency};
use nearside_core::route::Route;
use nearside_core::{Facts, Generation};
use nearside_geo::{Change, Found, Source, Summary, Tables, diff};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// Changes that are shown one by one; the sums hold all.
const SHOWN: usize = 200;

/// Prints what is known of addresses, or what changes.
pub(crate) fn run(args: &GeoArgs) -> anyhow::Result<Done> {
    let Some(loaded) = file::load_or_tell(&args.file)? else { return Ok(Done::Refused) };
    let generation = loaded.generation;
    let tables = gates::open_tables(&generation)?;
    let (told, text) = match &args.diff {
        None => {
            let told: Vec<Value> = args.addresses.iter().map(|ip| tell(*ip, &tables.find(*ip))).collect();
            let text = draw(&told);
            (json!({ "addresses": told }), text)
        }
        Some(path) => {
            let told = compare(&generation, &tables, path)?;
            let text = draw_changes(&told);
            (told, text)
        }
    };
    if args.json {
        out::json(&told);
    } else {
        out::text(&text);
    }
    Ok(Done::Fine)
}

fn tell(address: IpAddr, found: &Found<'_>) -> Value {
    let place = &found.place;
    json!({
        "address": address.to_string(),
        "place": place_of(place),
        "country": place.country.as_str(),
        "state": place.state.map(|state| state.to_string()),
        "continent": place.continent.map(|continent| continent.as_str()),
        "lat": place.position.map(|position| position.lat()),
        "lon": place.position.map(|position| position.lon()),
        "asn": found.asn,
        "network": found.network.map(|network| network.to_string()),
        "source": match found.source {
            Source::Override => "geo.overrides".to_owned(),
            Source::File(path) => path.display().to_string(),
            Source::Embedded => "the built-in table".to_owned(),
            Source::Nobody => "nobody".to_owned(),
        },
    })
}

fn draw(told: &[Value]) -> String {
    let mut table = out::table(&["address", "place", "position", "AS", "network", "says"]);
    for one in told {
        let position = match (one["lat"].as_f64(), one["lon"].as_f64()) {
            (Some(lat), Some(lon)) => format!("{lat:.2}, {lon:.2}"),
            _ => "-".to_owned(),
        };
        let asn = one["asn"].as_u64().map_or("-".to_owned(), |number| number.to_string());
        let [address, place, network, source] =
            ["address", "place", "network", "source"].map(|key| text_or_dash(one, key));
        table.add_row([address, place, position, asn, network, source]);
    }
    out::draw(&mut table)
}

/// What changes when `path` takes the place of the file's tables.
fn compare(generation: &Generation, old: &Tables, path: &Path) -> anyhow::Result<Value> {
    let mut next = generation.clone();
    next.geo.tables = Box::new([path.to_owned()]);
    let new = gates::open_tables(&next)?;
    let routes: Vec<&Route> =
        generation.routes.routes().iter().filter(|it| it.residency != Residency::None).collect();
    let (mut summary, mut shown, mut more) = (Summary::default(), Vec::new(), 0_u64);
    for change in diff(old, &new) {
        let moved = changes_class(generation, &routes, &change);
        summary.add(&change, !moved.is_empty());
        if shown.len() < SHOWN {
            let networks: Vec<String> = change.networks().map(|network| network.to_string()).collect();
            shown.push(json!({
                "networks": networks, "from": place_of(&change.from), "to": place_of(&change.to), "routes": moved,
            }));
        } else {
            more += 1;
        }
    }
    let sums = summary.0.iter().map(|((from, to), moved)| {
        let name = |country: &Country| country.as_str().to_owned();
        json!({
            "from": name(from), "to": name(to), "changes": moved.changes, "residency": moved.marked,
            "v4_addresses": moved.v4, "v6_networks_64": moved.v6,
        })
    });
    Ok(json!({ "sums": sums.collect::<Vec<_>>(), "changes": shown, "more": more }))
}

/// The routes for whose law the change makes a difference.
fn changes_class<'g>(generation: &Generation, routes: &[&'g Route], change: &Change) -> Vec<&'g str> {
    let law = |route: &Route, place: Place| {
        let client = SocketAddr::new(change.first, 0);
        Law::by_place(route, generation, &Facts { place, ..Facts::new("", "/", "GET", client) })
    };
    let differs = |route: &&&Route| law(route, change.from) != law(route, change.to);
    routes.iter().filter(differs).map(|route| &*route.id).collect()
}

fn draw_changes(told: &Value) -> String {
    let mut sums = out::table(&["from", "to", "changes", "other law", "IPv4 addresses", "IPv6 /64"]);
    for sum in list(told, "sums") {
        let number = |key: &str| sum.get(key).and_then(Value::as_u64).unwrap_or(0).to_string();
        sums.add_row([
            text_or_dash(sum, "from"),
            text_or_dash(sum, "to"),
            number("changes"),
            number("residency"),
            number("v4_addresses"),
            number("v6_networks_64"),
        ]);
    }
    if list(told, "sums").next().is_none() {
        return "nothing changes place".to_owned();
    }
    let mut changes = out::table(&["networks", "from", "to", "other law for"]);
    for change in list(told, "changes") {
        let [networks, routes] = ["networks", "routes"].map(|key| texts(change, key).join(" "));
        changes.add_row([networks, text_or_dash(change, "from"), text_or_dash(change, "to"), routes]);
    }
    let more = match told["more"].as_u64() {
        Some(more) if more > 0 => format!("... and {more} changes more\n"),
        _ => String::new(),
    };
    format!("{}{more}\n{}", out::draw(&mut changes), out::draw(&mut sums))
}
