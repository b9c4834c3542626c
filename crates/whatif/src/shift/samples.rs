//! Samples of a demand, and where each of them goes.

use super::{PlaceShift, Unserved, shares, thousandths};
use crate::demand::{Client, Demand, count};
use crate::given::Given;
use crate::kinds::Kinds;
use crate::prove::places;
use crate::scene::{Scene, region_of};
use nearside_core::candidates::Set;
use nearside_core::{
    Choice, ClassId, Facts, Generation, Input, Now, Reason, RegionId, RouteId, Tried, decide,
};
use std::net::SocketAddr;

/// So many samples in all, as far as each place and kind of route has its least and no more than its most.
const SAMPLES: usize = 32_768;
const LEAST: usize = 32;
const MOST: usize = 1024;

/// Requests that stand for the demand.
pub(super) struct Samples(pub(super) Vec<Sample>);

/// One of them.
pub(super) struct Sample {
    part: usize,
    kind: usize,
    client: Client,
    /// The value that names its home.
    home: Option<Box<str>>,
    /// Equal for those that differ in chance alone.
    group: usize,
    /// Its part of all requests.
    pub(super) share: f64,
}

/// Where a sample went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Went {
    /// `None` where nothing that is well may serve it.
    pub(super) region: Option<RegionId>,
    /// The regions that it was offered to.
    pub(super) offered: Set,
}

impl Samples {
    /// Of `demand`, as much for each route.
    pub(super) fn of(kinds: &Kinds, demand: &Demand) -> Self {
        let routes: usize = kinds.0.iter().map(|kind| kind.routes.len()).sum();
        let each = (SAMPLES / (demand.0.len() * kinds.0.len()).max(1)).clamp(LEAST, MOST);
        let (mut samples, mut group) = (Vec::new(), 0);
        for (part, place) in demand.0.iter().enumerate() {
            for (index, kind) in kinds.0.iter().enumerate() {
                let homes = homes(kind);
                // Of many kinds each is asked by some of the clients, evenly chosen.
                let clients: Vec<&Client> =
                    place.clients.iter().step_by(place.clients.len().div_ceil(each).max(1)).collect();
                let turns = (each / (clients.len() * homes.len()).max(1)).max(1);
                let parts = count(routes) * count(clients.len()) * count(homes.len()) * count(turns);
                let share = place.share * count(kind.routes.len()) / parts;
                for client in clients {
                    for home in &homes {
                        group += 1;
                        let sample = |_| Sample {
                            part,
                            kind: index,
                            client: *client,
                            home: home.clone(),
                            group,
                            share,
                        };
                        samples.extend((0..turns).map(sample));
                    }
                }
            }
        }
        Self(samples)
    }

    /// Who asks them in `scene`.
    pub(super) fn asker<'s>(&'s self, kinds: &'s Kinds, scene: &'s Scene<'s>) -> Asker<'s> {
        let generation = kinds.asked(scene.generation);
        Asker { samples: &self.0, kinds, scene, generation }
    }

    /// The regions' shares of all requests.
    pub(super) fn shares(&self, went: &[Went], regions: usize) -> Vec<f64> {
        shares(&self.0, went, regions)
    }

    /// The regions' shares of each place's requests.
    pub(super) fn places(
        &self,
        demand: &Demand,
        (was, is): (&[Went], &[Went]),
        regions: usize,
    ) -> Vec<PlaceShift> {
        let mut places: Vec<PlaceShift> = Vec::new();
        for part in &demand.0 {
            let (before, after) = (vec![0.0; regions], vec![0.0; regions]);
            places.push(PlaceShift { name: part.name.clone(), share: part.share, before, after });
        }
        for (sample, (was, is)) in self.0.iter().zip(was.iter().zip(is)) {
            let Some(place) = places.get_mut(sample.part) else { continue };
            let share = sample.share / place.share;
            for (shares, went) in [(&mut place.before, was), (&mut place.after, is)] {
                if let Some(of_region) = went.region.and_then(|region| shares.get_mut(region.index())) {
                    *of_region += share;
                }
            }
        }
        places
    }

    /// What was served and is not.
    pub(super) fn dark(
        &self,
        (kinds, generation): (&Kinds, &Generation),
        demand: &Demand,
        (was, is): (&[Went], &[Went]),
    ) -> Vec<Unserved> {
        let mut dark: Vec<Unserved> = Vec::new();
        let all: Vec<(&Sample, (&Went, &Went))> = self.0.iter().zip(was.iter().zip(is)).collect();
        for group in all.chunk_by(|one, other| one.0.group == other.0.group) {
            let served_before = group.iter().any(|(_, (was, _))| was.region.is_some());
            let served_after = group.iter().any(|(_, (_, is))| is.region.is_some());
            let Some((sample, _)) = group.first().filter(|_| served_before && !served_after) else {
                continue;
            };
            let Some((kind, part)) = kinds.0.get(sample.kind).zip(demand.0.get(sample.part)) else {
                continue;
            };
            let classes = sample.classes(generation, kinds);
            let known = dark.iter_mut().find(|it| it.routes == kind.routes && it.classes == classes);
            match known {
                Some(known) if known.places.contains(&part.name) => {}
                Some(known) => known.places.push(part.name.clone()),
                None => {
                    let (routes, places): (Vec<RouteId>, _) = (kind.routes.clone(), vec![part.name.clone()]);
                    dark.push(Unserved { routes, classes, places });
                }
            }
        }
        dark
    }
}

/// Each home that the route knows, as much, and a request without one where that is served.
fn homes(kind: &crate::kinds::Kind) -> Vec<Option<Box<str>>> {
    let Some(home) = &kind.route.home else { return vec![None] };
    let without = (!home.refuse_unknown).then_some(None);
    without.into_iter().chain(home.map.iter().map(|(value, _)| Some(value.clone()))).collect()
}

impl Sample {
    fn classes(&self, generation: &Generation, kinds: &Kinds) -> Vec<ClassId> {
        let address = SocketAddr::new(self.client.address, 0);
        let client = places::Client { place: self.client.place, address, home: self.home.clone() };
        kinds.0.get(self.kind).map(|kind| client.classes(generation, &kind.route)).unwrap_or_default()
    }
}

/// Puts samples to the decision.
pub(super) struct Asker<'s> {
    samples: &'s [Sample],
    kinds: &'s Kinds,
    scene: &'s Scene<'s>,
    generation: Generation,
}

impl Asker<'_> {
    /// Where each goes while the regions are offered so many requests a second.
    pub(super) fn ask(&self, offered: &[f64]) -> Vec<Went> {
        let offered: Vec<u64> = offered.iter().copied().map(thousandths).collect();
        let mut at: Option<Client> = None;
        let mut evidence = Given { states: Vec::new(), offered, turn: 0 };
        let went = |(turn, sample): (usize, &Sample)| {
            if at != Some(sample.client) {
                at = Some(sample.client);
                evidence.states = self.scene.states_at(&sample.client.place);
            }
            evidence.turn = u64::try_from(turn).unwrap_or(u64::MAX);
            self.one(sample, &evidence)
        };
        self.samples.iter().enumerate().map(went).collect()
    }

    /// Whether a region lets anything spill over that is offered so much.
    pub(super) fn spills(&self, offered: &[f64]) -> bool {
        let mut each = self.generation.regions.iter().zip(offered);
        each.any(|(region, offered)| region.capacity.is_some_and(|capacity| thousandths(*offered) > capacity))
    }

    fn one(&self, sample: &Sample, evidence: &Given) -> Went {
        let Some(kind) = self.kinds.0.get(sample.kind) else { return Went::default() };
        let facts = Facts {
            place: sample.client.place,
            home: sample.home.as_deref(),
            body_bytes: Some(0),
            ..Facts::new(kind.host.as_str(), "/", "GET", SocketAddr::new(sample.client.address, 0))
        };
        let (generation, tried, now) = (&self.generation, &Tried::default(), Now::default());
        let input = Input { facts: &facts, tried, generation, evidence, now, seed: evidence.turn };
        match decide(&input, &mut ()) {
            Choice::Forward(plan) if plan.reason != Reason::WonFailOpen => {
                Went { region: region_of(generation, plan.backend), offered: plan.offered }
            }
            Choice::Forward(_) | Choice::Answer(_) | Choice::Refuse(..) => Went::default(),
        }
    }
}
