//! A binary tree of networks: which record an address has.

use nearside_core::generation::Cidr;
use std::net::IpAddr;

/// A record by its number; 0 is none.
pub(crate) type RecordId = u32;

/// Two roots over one set of nodes, since a table of both families keeps its IPv4 part below one of its nodes.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<[Link; 2]>,
    v4: Link,
    v6: Link,
}

/// A node by its index, or a leaf: a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Link(u32);

const LEAF: u32 = 1 << 31;

impl Link {
    /// No record.
    pub(crate) const NONE: Self = Self(LEAF);

    /// The node of this index, below 2^31.
    pub(crate) fn node(index: u32) -> Self {
        Self(index & !LEAF)
    }

    /// The record of this number, below 2^31.
    pub(crate) fn leaf(record: RecordId) -> Self {
        Self(record | LEAF)
    }

    fn record(self) -> Option<RecordId> {
        (self.0 & LEAF != 0).then_some(self.0 & !LEAF)
    }
}

impl Tree {
    /// A tree without networks.
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new(), v4: Link::NONE, v6: Link::NONE }
    }

    /// The tree of one family whose root is the first node.
    pub(crate) fn of_v4(nodes: Vec<[Link; 2]>) -> Self {
        Self { nodes, v4: Link::node(0), v6: Link::NONE }
    }

    /// The tree of both families whose root is the first node, with the IPv4 part at `::/96`.
    pub(crate) fn of_v6(nodes: Vec<[Link; 2]>) -> Self {
        let mut tree = Self { nodes, v4: Link::NONE, v6: Link::node(0) };
        tree.v4 = (0..96).fold(tree.v6, |link, _| tree.child(link, false).unwrap_or(link));
        tree
    }

    /// The record of `address`, and how long the prefix is that shares it.
    pub(crate) fn find(&self, address: IpAddr) -> (RecordId, u8) {
        let (mut link, mut bits, length) = match address {
            IpAddr::V4(v4) => (self.v4, u128::from(u32::from(v4)) << 96, 32),
            IpAddr::V6(v6) => (self.v6, u128::from(v6), 128),
        };
        for prefix in 0..=length {
            if let Some(record) = link.record() {
                return (record, prefix);
            }
            link = self.child(link, bits >> 127 == 1).unwrap_or(Link::NONE);
            bits <<= 1;
        }
        (0, length)
    }

    /// Gives `network` a record. A network that holds others is inserted before them.
    pub(crate) fn insert(&mut self, network: Cidr, record: RecordId) {
        let (mut slot, bits) = match network.address {
            IpAddr::V4(v4) => (Slot::V4, u128::from(u32::from(v4)) << 96),
            IpAddr::V6(v6) => (Slot::V6, u128::from(v6)),
        };
        for depth in 0..network.prefix {
            let link = *self.at(slot);
            let node = match link.record() {
                None => link.0,
                Some(_) => {
                    let index = u32::try_from(self.nodes.len()).unwrap_or(LEAF);
                    self.nodes.push([link, link]);
                    *self.at(slot) = Link::node(index);
                    index
                }
            };
            slot = Slot::Child(node, bits >> (127 - depth) & 1 == 1);
        }
        *self.at(slot) = Link::leaf(record);
    }

    fn child(&self, link: Link, right: bool) -> Option<Link> {
        let [zero, one] = *self.nodes.get(link.0 as usize)?;
        Some(if right { one } else { zero })
    }

    fn at(&mut self, slot: Slot) -> &mut Link {
        match slot {
            Slot::V4 => &mut self.v4,
            Slot::V6 => &mut self.v6,
            Slot::Child(node, right) => match self.nodes.get_mut(node as usize) {
                Some([_, one]) if right => one,
                Some([zero, _]) => zero,
                None => &mut self.v6,
            },
        }
    }
}

/// Where a link stands.
#[derive(Clone, Copy)]
enum Slot {
    V4,
    V6,
    Child(u32, bool),
}
