//! What round trips and the client's line alone allow.

/// The round trips of the network that the driver makes, in milliseconds: client to PoP, and PoP to backend.
pub(super) const EDGE: f64 = 20.0;
pub(super) const LONG: f64 = 150.0;
/// From the client straight to the backend.
const DIRECT: f64 = EDGE + LONG;
/// Bytes a millisecond on the client's line of 200 Mbit/s, and between PoP and backend at 1 Gbit/s.
const LINE: f64 = 25_000.0;
const TRUNK: f64 = 125_000.0;
/// Ten packets (RFC 6928).
const WINDOW: f64 = 10.0 * 1448.0;

/// The path of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Path {
    /// Without a PoP.
    Direct,
    /// By a PoP whose connection to the backend is open, with a wide window.
    Warm,
    /// By a PoP that has to connect to the backend first.
    Cold,
}

/// Milliseconds to the first byte of an answer, and to the last of so many; of an upload the last is the answer. On a new
/// connection TCP and TLS 1.3 take two round trips before the request; a kept one has a wide window.
pub(super) fn limit(path: Path, kept: bool, bytes: f64) -> (f64, f64) {
    let (setup, near) = match path {
        Path::Direct => (2.0 * DIRECT, DIRECT),
        Path::Warm | Path::Cold => (2.0 * EDGE, EDGE),
    };
    let first = match path {
        Path::Direct => DIRECT,
        Path::Warm => EDGE + LONG,
        Path::Cold => EDGE + 3.0 * LONG,
    };
    if kept {
        return (first, first + bytes / LINE);
    }
    let beyond = if path == Path::Cold { flights(bytes, LONG, TRUNK) } else { 0.0 };
    (setup + first, setup + first + flights(bytes, near, LINE).max(beyond))
}

/// From the first byte's arrival to the last's, in flights that double until they fill the line.
fn flights(mut bytes: f64, round_trip: f64, rate: f64) -> f64 {
    let (mut elapsed, mut window) = (0.0, WINDOW);
    while window < rate * round_trip && window < bytes {
        bytes -= window;
        elapsed += round_trip;
        window *= 2.0;
    }
    elapsed + bytes / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: Path, kept: bool, bytes: f64, expected: [f64; 2]) {
        let (first, last) = limit(path, kept, bytes);
        assert_eq!([first, last.round()], expected, "{path:?} {kept} {bytes}");
    }

    #[test]
    fn the_limits_are_those_of_the_round_trips() {
        check(Path::Direct, false, 1e3, [510.0, 510.0]);
        check(Path::Direct, false, 1e6, [510.0, 1534.0]);
        check(Path::Direct, false, 1e7, [510.0, 2144.0]);
        check(Path::Warm, false, 1e5, [210.0, 252.0]);
        check(Path::Warm, false, 1e6, [210.0, 334.0]);
        check(Path::Warm, false, 1e7, [210.0, 694.0]);
        check(Path::Cold, false, 1e6, [510.0, 1411.0]);
        check(Path::Warm, true, 1e6, [170.0, 210.0]);
        check(Path::Direct, true, 1e6, [170.0, 210.0]);
    }
}
