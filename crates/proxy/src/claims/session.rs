//! Sessions: which answers set the cookie that keeps one where it is.

use super::Claims;
use super::pin::{self, Pinned};
use super::storage::Storage;
use crate::request::Visit;
use nearside_core::generation::{Generation, Pool};
use nearside_core::policy::Affinity;
use nearside_core::residency::Law;
use nearside_core::{BackendId, Pin, RegionId, Target};
use nearside_http::{Edits, Known, ResponseHead};

/// Adds the cookie to the edits of an answer from backend `id`, where the session needs one and the answer may have it:
/// no shared cache may store it, and it is no failure of the backend.
pub(crate) fn keep(
    edits: &mut Edits,
    visit: &Visit<'_>,
    head: &ResponseHead,
    (pool, id): (&Pool, BackendId),
) {
    let (Some(affinity), Some(claims)) = (&pool.affinity, visit.claims()) else { return };
    if head.status() >= 500 {
        return;
    }
    let Some(next) = next(visit, claims, (pool, affinity), id) else { return };
    match Storage::of(head, edits, claims.is_read) {
        Storage::Shared => return,
        Storage::Unsaid => edits.append(Known::CacheControl, b"private"),
        Storage::Private => {}
    }
    let live = &visit.live;
    let value = pin::close(&next, &live.beliefs.seal, (&live.generation, pool, affinity));
    let name = &affinity.cookie;
    let age = affinity.ttl.map(|ttl| format!("; Max-Age={}", ttl.as_secs().max(1))).unwrap_or_default();
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    edits.append(Known::SetCookie, cookie.as_bytes());
}

/// What the session's next cookie says, where it needs another than it has: at its first answer, when it moves for good,
/// when its backup has changed, and when half of its time is over.
fn next(
    visit: &Visit<'_>,
    claims: &Claims,
    (pool, affinity): (&Pool, &Affinity),
    id: BackendId,
) -> Option<Pinned> {
    let generation = &visit.live.generation;
    let at = visit.live.evidence.at(visit.started);
    let Some(old) = claims.pinned else {
        let session = visit.number;
        return Some(Pinned { pin: Pin::new(generation, pool, id, session), session, at });
    };
    let region = generation.backend(id).map(|backend| backend.region);
    let stays = match old.pin.first {
        Some(Target::Region(first)) => region == Some(first),
        Some(Target::Backend(first)) => first == id,
        None => false,
    };
    let pin = if stays || claims.moves { Pin::new(generation, pool, id, old.session) } else { old.pin };
    let aged = affinity.ttl.is_some_and(|ttl| at.since(old.at) > ttl / 2);
    (pin != old.pin || aged).then_some(Pinned { pin, session: old.session, at })
}

/// Whether a session may stay at `first` as far as the file, law and its home say: what is merely down will be back.
pub(super) fn stands(
    generation: &Generation,
    pool: &Pool,
    first: Option<Target>,
    (law, home): (Law, Option<RegionId>),
) -> bool {
    let lawful = |region: RegionId| match law {
        Law::Silent => true,
        Law::Only(regions) => regions.holds(region.index()),
        Law::Nowhere => false,
    };
    let mut backends = generation.backends_of(pool).iter().enumerate();
    backends.any(|(index, backend)| {
        let meant = match first {
            Some(Target::Region(region)) => backend.region == region,
            Some(Target::Backend(id)) => id.index() == pool.first.index() + index,
            None => false,
        };
        meant
            && backend.weight > 0
            && generation.drain_of(backend).is_none()
            && lawful(backend.region)
            && home.is_none_or(|home| backend.region == home)
    })
}
