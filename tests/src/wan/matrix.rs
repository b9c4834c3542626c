//! The matrix: how far regions of a real cloud are from each other, as its owner measures it. `rtt.csv` names its source.

use std::time::Duration;

const TABLE: &str = include_str!("rtt.csv");

/// The round trip between two regions: the mean of what is measured from either side.
///
/// # Panics
/// The table does not hold them.
#[must_use]
pub fn round_trip(a: &str, b: &str) -> Duration {
    let from = |from: &str, to: &str| {
        let mut rows = TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(','));
        let found = rows.find_map(|mut row| {
            (row.next() == Some(from) && row.next() == Some(to)).then(|| row.next()?.parse::<u64>().ok())?
        });
        found.unwrap_or_else(|| panic!("the table does not hold {from} to {to}"))
    };
    Duration::from_micros((from(a, b) + from(b, a)) * 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_the_mean_of_both_directions() {
        assert_eq!(round_trip("eastus", "westus"), Duration::from_micros(72_500));
        assert_eq!(round_trip("uksouth", "westeurope"), round_trip("westeurope", "uksouth"));
    }
}
