//! What the operator knows better than any table.

use crate::tree::{RecordId, Tree};
use nearside_core::generation::Cidr;
use nearside_core::place::Place;
use std::net::IpAddr;

/// Places by network; of two networks that hold an address, the smaller counts.
#[derive(Debug)]
pub(crate) struct Overrides {
    tree: Tree,
    list: Vec<(Cidr, Place)>,
}

impl Overrides {
    /// Overrides in any order; of two for the same network, the later counts.
    pub(crate) fn new(list: &[(Cidr, Place)]) -> Self {
        let mut list = list.to_vec();
        list.sort_by_key(|(network, _)| network.prefix);
        let mut tree = Tree::new();
        for (record, (network, _)) in (1..).zip(&list) {
            tree.insert(*network, record);
        }
        Self { tree, list }
    }

    /// The override for `address`, and how long the prefix is that shares the answer.
    pub(crate) fn find(&self, address: IpAddr) -> (Option<(Cidr, Place)>, u8) {
        let (record, prefix) = self.tree.find(address);
        (self.get(record), prefix)
    }

    fn get(&self, record: RecordId) -> Option<(Cidr, Place)> {
        self.list.get((record as usize).checked_sub(1)?).copied()
    }
}
