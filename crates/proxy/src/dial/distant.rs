//! Distance where there is none: a dialler that puts a round trip between this PoP and each region.

use super::far::Far;
use super::{Dial, Dialling};
use crate::io::Wire;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Connects as `inner` does, and adds the region's round trip.
#[derive(Debug)]
pub struct Distant {
    /// The round trip to add, by the region's name; none to a region that is not here.
    pub round_trips: HashMap<String, Duration>,
    /// What really connects.
    pub inner: Arc<dyn Dial>,
}

impl Dial for Distant {
    fn connect<'a>(&'a self, to: SocketAddr, region: &'a str) -> Dialling<'a> {
        let Some(round_trip) = self.round_trips.get(region).copied() else {
            return self.inner.connect(to, region);
        };
        Box::pin(async move {
            let dialled = self.inner.connect(to, region).await;
            // A refusal travels as far as an acceptance.
            tokio::time::sleep(round_trip).await;
            match dialled? {
                Wire::Tcp(stream) => Ok(Wire::Far(Box::new(Far::new(stream, round_trip)))),
                other @ (Wire::Far(_) | Wire::Unix(_)) => Ok(other),
            }
        })
    }
}
