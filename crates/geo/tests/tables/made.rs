//! Tables made here, in MaxMind's format.

use nearside_core::generation::Cidr;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// A value of a record.
pub(crate) enum Is<'a> {
    Text(&'a str),
    Number(f64),
    Map(Vec<(&'a str, Self)>),
}

/// A network, as people write it.
pub(crate) fn cidr(text: &str) -> Cidr {
    let (address, prefix) = text.split_once('/').unwrap();
    Cidr { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

/// A table of both families, built at `epoch`: networks and their records.
pub(crate) fn table(epoch: u32, networks: &[(&str, Is<'_>)]) -> Vec<u8> {
    let networks = networks.iter().map(|(network, record)| (cidr(network), value(record)));
    file(epoch, &networks.collect::<Vec<_>>())
}

/// A flat table of countries.
pub(crate) fn countries(epoch: u32, networks: &[(Cidr, &str)]) -> Vec<u8> {
    let record = |country| value(&Is::Map(vec![("country_code", Is::Text(country))]));
    file(epoch, &networks.iter().map(|(network, country)| (*network, record(country))).collect::<Vec<_>>())
}

/// Writes a table to `path`, in the place of what is there.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes).unwrap();
    std::fs::rename(beside, path).unwrap();
}

const NONE: u32 = u32::MAX;

fn file(epoch: u32, networks: &[(Cidr, Vec<u8>)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[NONE; 2]], Vec::<u8>::new());
    let mut offsets = BTreeMap::new();
    for (network, record) in networks {
        // Until the count of nodes is known, a record stands as its offset with the highest bit set.
        let offset = *offsets.entry(record).or_insert_with(|| {
            data.extend(record);
            u32::try_from(data.len() - record.len()).unwrap()
        });
        let (bits, prefix) = match network.address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), network.prefix + 96),
            IpAddr::V6(v6) => (u128::from(v6), network.prefix),
        };
        let mut node = 0;
        for depth in 0..prefix {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == prefix {
                nodes[node][side] = 1 << 31 | offset;
            } else {
                if nodes[node][side] == NONE {
                    nodes[node][side] = u32::try_from(nodes.len()).unwrap();
                    nodes.push([NONE; 2]);
                }
                node = nodes[node][side] as usize;
            }
        }
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let link = |link: u32| match link {
        NONE => count,
        leaf if leaf >> 31 == 1 => (leaf & !(1 << 31)) + count + 16,
        node => node,
    };
    let mut file: Vec<u8> = nodes.iter().flatten().flat_map(|side| link(*side).to_be_bytes()).collect();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(metadata(epoch, count));
    file
}

fn metadata(epoch: u32, count: u32) -> Vec<u8> {
    let whole = |number: u32| [vec![0xc4], number.to_be_bytes().to_vec()].concat();
    let short = |number: u8| vec![0xa1, number];
    let entries = [
        ("node_count", whole(count)),
        ("record_size", short(32)),
        ("ip_version", short(6)),
        ("database_type", value(&Is::Text("made"))),
        ("languages", vec![0x00, 0x04]),
        ("binary_format_major_version", short(2)),
        ("binary_format_minor_version", short(0)),
        ("build_epoch", [vec![0x04, 0x02], epoch.to_be_bytes().to_vec()].concat()),
        ("description", vec![0xe0]),
    ];
    let entries = entries.iter().flat_map(|(name, bytes)| [value(&Is::Text(name)), bytes.clone()].concat());
    std::iter::once(0xe9).chain(entries).collect()
}

fn value(is: &Is<'_>) -> Vec<u8> {
    match is {
        Is::Text(text) => [&[0x40 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat(),
        Is::Number(number) => [&[0x68], number.to_be_bytes().as_slice()].concat(),
        Is::Map(entries) => {
            let all = entries.iter().flat_map(|(name, is)| [value(&Is::Text(name)), value(is)].concat());
            std::iter::once(0xe0 | u8::try_from(entries.len()).unwrap()).chain(all).collect()
        }
    }
}
