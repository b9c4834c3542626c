//! Positions on the globe.

use std::time::Duration;

/// A point on the globe in degrees (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    lat: f64,
    lon: f64,
}

impl Position {
    /// The point; `None` outside -90..=90 and -180..=180.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some(Self { lat, lon })
    }

    /// Degrees north.
    #[must_use]
    pub fn lat(self) -> f64 {
        self.lat
    }

    /// Degrees east.
    #[must_use]
    pub fn lon(self) -> f64 {
        self.lon
    }

    /// The great-circle distance in kilometres (haversine, mean radius 6371 km).
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let cosines = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let h = half(self.lat, other.lat) + cosines * half(self.lon, other.lon);
        2.0 * 6371.0 * h.sqrt().min(1.0).asin()
    }

    /// The round trip in microseconds as far as the distance tells: light in glass needs 10 us there and back per km,
    /// and cables run about half as far again as the great circle.
    #[must_use]
    pub fn round_trip_micros(self, other: Self) -> u32 {
        let micros =
            Duration::try_from_secs_f64(self.distance_km(other) * 15e-6).unwrap_or_default().as_micros();
        u32::try_from(micros).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frankfurt_and_dublin_are_about_1090_km_apart() {
        let frankfurt = Position::new(50.11, 8.68).unwrap();
        let dublin = Position::new(53.35, -6.26).unwrap();
        assert!((frankfurt.distance_km(dublin) - 1090.0).abs() < 10.0);
        assert!(frankfurt.round_trip_micros(dublin).abs_diff(16_350) < 200);
        assert_eq!(frankfurt.round_trip_micros(frankfurt), 1);
        assert_eq!(Position::new(91.0, 0.0), None);
    }
}
