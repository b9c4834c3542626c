//! Sparklines as text, so that they fit into the cells of tables.

/// From the lowest to the highest.
const BARS: [char; 8] =
    ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];

/// The last `width` values, a bar each, from nothing at all to the greatest among them; a gap where none was seen.
pub(super) fn spark(values: impl DoubleEndedIterator<Item = Option<f64>>, width: usize) -> String {
    let mut last: Vec<Option<f64>> = values.rev().take(width).collect();
    last.reverse();
    let most = last.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |value: Option<f64>| match value {
        Some(value) if most > 0.0 => height(value / most),
        Some(_) => BARS[0],
        None => ' ',
    };
    last.into_iter().map(bar).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and NaN is the lowest"
)]
fn height(part: f64) -> char {
    let step = (part * 8.0).ceil() as usize;
    BARS.get(step.saturating_sub(1)).copied().unwrap_or(BARS[7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_for_parts_of_the_greatest_value() {
        let check = |values: &[Option<f64>], width, expected: &str| {
            assert_eq!(spark(values.iter().copied(), width), expected);
        };
        check(&[Some(1.0), Some(4.0), Some(8.0)], 9, "\u{2581}\u{2584}\u{2588}");
        check(&[Some(100.0), Some(4.0), None, Some(8.0)], 3, "\u{2584} \u{2588}");
        check(&[Some(0.0), Some(0.0)], 3, "\u{2581}\u{2581}");
        check(&[], 3, "");
    }
}
