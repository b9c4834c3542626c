//! What a process has: memory of its own, and descriptors.

use std::fs;

/// One reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gauge {
    /// KiB of private pages.
    pub(super) private: u64,
    pub(super) descriptors: usize,
}

impl Gauge {
    /// Reads it of the process `pid`.
    pub(super) fn read(pid: u32) -> Self {
        let maps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process is there");
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there").count();
        Self { private: private(&maps), descriptors }
    }
}

fn private(maps: &str) -> u64 {
    let lines = maps.lines().filter(|line| line.starts_with("Private_"));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_pages_are_clean_or_dirty() {
        let maps = "Rss:  9 kB\nShared_Clean:  4 kB\nPrivate_Clean:  2 kB\nPrivate_Dirty:  3 kB\n";
        assert_eq!(private(maps), 5);
        let own = Gauge::read(std::process::id());
        assert!(own.private > 0 && own.descriptors > 2, "{own:?}");
    }
}
