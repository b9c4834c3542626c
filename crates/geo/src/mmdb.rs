//! The search tree of a file in MaxMind's format, copied in a pass that notices what is wrong with it.

use crate::error::Damage;
use crate::tree::{Link, RecordId, Tree};
use maxminddb::Metadata;
use std::net::IpAddr;

/// A leaf of the tree: what stands in its node, and an address that leads there.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    /// The number that every leaf with this record has.
    pub(crate) value: u32,
    /// The first address of its network.
    pub(crate) address: IpAddr,
}

/// The tree at the start of `bytes`, with `number` naming the record of each leaf.
///
/// Each node is visited once, after all that lead to it: a loop, or a node that none leads to, leaves some unvisited. So
/// the time is bounded by the size of the file, whatever it holds, and no path is longer than an address.
pub(crate) fn tree(
    bytes: &[u8],
    metadata: &Metadata,
    mut number: impl FnMut(Leaf) -> Result<RecordId, Damage>,
) -> Result<Tree, Damage> {
    let raw = Raw { bytes, count: metadata.node_count, record_size: metadata.record_size };
    let v4 = metadata.ip_version == 4;
    let length = if v4 { 32 } else { 128 };
    raw.check_separator()?;
    let mut visits = raw.visits()?;
    let mut nodes = vec![[Link::NONE; 2]; visits.len()];
    let mut ready = vec![0];
    let mut done = 0;
    while let Some(node) = ready.pop() {
        let Visit { depth, path, .. } = visit(&mut visits, node).copied()?;
        if depth >= length {
            return Err(Damage::Tree("is deeper than an address is long"));
        }
        done += 1;
        let sides = nodes.get_mut(node as usize).into_iter().flatten();
        for ((side, link), value) in (0_u128..).zip(sides).zip(raw.children(node)?) {
            let path = path | side << (127 - depth);
            if value > raw.count {
                let address = if v4 {
                    IpAddr::V4(u32::try_from(path >> 96).unwrap_or_default().into())
                } else {
                    IpAddr::V6(path.into())
                };
                *link = Link::leaf(number(Leaf { value, address })?);
            } else if value < raw.count {
                *link = Link::node(value);
                if visit(&mut visits, value)?.reach(depth + 1, path) {
                    ready.push(value);
                }
            }
        }
    }
    if done < nodes.len() {
        return Err(Damage::Tree("goes in a loop, or has parts that no address reaches"));
    }
    Ok(if v4 { Tree::of_v4(nodes) } else { Tree::of_v6(nodes) })
}

/// The nodes as they stand in the file.
struct Raw<'a> {
    bytes: &'a [u8],
    count: u32,
    record_size: u16,
}

impl Raw<'_> {
    /// Both values of a node: below the count a node, equal to it nothing, above it a record.
    fn children(&self, node: u32) -> Result<[u32; 2], Damage> {
        let size = self.node_size();
        let bytes = (node as usize).checked_mul(size).and_then(|start| self.bytes.get(start..)?.get(..size));
        match *bytes.unwrap_or_default() {
            [a, b, c, d, e, f] => Ok([[0, a, b, c], [0, d, e, f]].map(u32::from_be_bytes)),
            // The byte in the middle has the upper four bits of both.
            [a, b, c, both, d, e, f] => {
                Ok([[both >> 4, a, b, c], [both & 15, d, e, f]].map(u32::from_be_bytes))
            }
            [a, b, c, d, e, f, g, h] => Ok([[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes)),
            _ => Err(Damage::Tree("is cut")),
        }
    }

    fn node_size(&self) -> usize {
        usize::from(self.record_size) / 4
    }

    /// Sixteen zeros part the tree from the records.
    fn check_separator(&self) -> Result<(), Damage> {
        let end = (self.count as usize).checked_mul(self.node_size());
        match end.and_then(|end| self.bytes.get(end..)?.get(..16)) {
            Some([0, rest @ ..]) if rest.iter().all(|byte| *byte == 0) => Ok(()),
            _ => Err(Damage::Tree("does not end where it should")),
        }
    }

    /// How many nodes lead to each node.
    fn visits(&self) -> Result<Vec<Visit>, Damage> {
        // A link keeps its highest bit for leaves.
        if self.count >= 1 << 31 {
            return Err(Damage::Tree("has too many nodes"));
        }
        let mut visits = vec![Visit::default(); self.count as usize];
        for node in 0..self.count {
            for value in self.children(node)?.into_iter().filter(|value| *value < self.count) {
                visit(&mut visits, value)?.awaited += 1;
            }
        }
        match visits.first() {
            Some(Visit { awaited: 0, .. }) => Ok(visits),
            Some(_) => Err(Damage::Tree("leads back to its root")),
            None => Err(Damage::Tree("is empty")),
        }
    }
}

/// How a node is reached.
#[derive(Clone, Copy, Default)]
struct Visit {
    /// Nodes that lead here and were not visited yet.
    awaited: u32,
    /// The length of the longest path.
    depth: u8,
    /// The longest path, from the highest bit.
    path: u128,
}

impl Visit {
    /// Notes a way here; true when it was the last.
    fn reach(&mut self, depth: u8, path: u128) -> bool {
        if depth > self.depth {
            (self.depth, self.path) = (depth, path);
        }
        self.awaited = self.awaited.saturating_sub(1);
        self.awaited == 0
    }
}

fn visit(visits: &mut [Visit], node: u32) -> Result<&mut Visit, Damage> {
    visits.get_mut(node as usize).ok_or(Damage::Tree("is empty"))
}
