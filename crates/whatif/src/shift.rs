//! The shift of traffic from one scene to another: what goes where before and after, against what regions are declared
//! to carry.
//!
//! Samples of the demand are put to [`decide()`](nearside_core::decide()) in both scenes, spillover included: what a
//! region is offered is found by asking until it stays as it is.

mod samples;

use crate::demand::Demand;
use crate::kinds::{Kinds, THOUSANDTHS};
use crate::scene::Scene;
use nearside_core::{ClassId, Generation, RegionId, RouteId};
use samples::{Sample, Samples, Went};

/// How often what regions are offered is asked anew.
const ROUNDS: usize = 8;
/// Shares are right to about a percent, so what lies within two of a capacity is not told from it.
const SLACK: f64 = 1.02;

/// How much there is.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Nobody knows: shares alone are told.
    Unknown,
    /// So many requests a second in all.
    Total(f64),
    /// Every region that gets anything before carries what it is declared for.
    Declared,
    /// So many requests a second in each region before, by [`RegionId`]; `None` where it is not known.
    Measured(Vec<Option<f64>>),
}

/// What goes where, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Shift {
    /// By place, in the demand's order.
    pub places: Vec<PlaceShift>,
    /// By [`RegionId`].
    pub regions: Vec<RegionShift>,
    /// What was served before, and is not after.
    pub dark: Vec<Unserved>,
}

/// Where the requests of a place go.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceShift {
    /// The place.
    pub name: String,
    /// Its part of all requests.
    pub share: f64,
    /// The regions' shares of its requests before, by [`RegionId`]; what they lack is not served.
    pub before: Vec<f64>,
    /// The same after.
    pub after: Vec<f64>,
}

/// What a region carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionShift {
    /// The region.
    pub region: RegionId,
    /// The requests a second that it is declared to carry.
    pub capacity: Option<u64>,
    /// What it carries before.
    pub before: Carried,
    /// What it carries after.
    pub after: Carried,
}

/// A part of all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Carried {
    /// Its share of the demand, as far as the demand alone tells.
    pub share: f64,
    /// The same in requests a second, as far as it is known.
    pub rps: f64,
    /// Whether that is all of it.
    pub is_known: bool,
}

/// Requests that nothing serves any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Unserved {
    /// The routes that all decide alike.
    pub routes: Vec<RouteId>,
    /// The residency classes that apply.
    pub classes: Vec<ClassId>,
    /// The places.
    pub places: Vec<String>,
}

impl RegionShift {
    /// Whether it gets more than it is declared for, and more than before; `None` where that is not known.
    #[must_use]
    pub fn is_overloaded(&self) -> Option<bool> {
        let more = self.after.rps > self.before.rps * SLACK + 1e-9;
        match self.capacity {
            Some(capacity) if more && self.after.rps > float(capacity) * SLACK => Some(true),
            Some(_) if self.after.is_known => Some(false),
            _ if self.after.share <= self.before.share * SLACK + 1e-9 => Some(false),
            Some(_) | None => None,
        }
    }
}

impl Shift {
    /// From `before` to `after`, whose generations differ in marks alone, under `demand`.
    #[must_use]
    pub fn between(before: &Scene<'_>, after: &Scene<'_>, demand: &Demand, load: &Load) -> Self {
        Survey::of(before, demand).shift(after, load)
    }

    /// Whether any region gets more than it is declared for.
    pub fn overloaded(&self) -> impl Iterator<Item = &RegionShift> {
        self.regions.iter().filter(|region| region.is_overloaded() == Some(true))
    }
}

/// Where a demand goes before anything changes: the same for all that may happen then.
struct Survey<'a> {
    before: &'a Scene<'a>,
    demand: &'a Demand,
    kinds: Kinds,
    samples: Samples,
    /// While nothing spills over.
    untouched: Vec<Went>,
}

impl<'a> Survey<'a> {
    fn of(before: &'a Scene<'a>, demand: &'a Demand) -> Self {
        let kinds = Kinds::of(before.generation);
        let samples = Samples::of(&kinds, demand);
        let untouched = samples.asker(&kinds, before).ask(&vec![0.0; before.generation.regions.len()]);
        Self { before, demand, kinds, samples, untouched }
    }

    fn shift(&self, after: &Scene<'_>, load: &Load) -> Shift {
        let Self { before, demand, kinds, samples, untouched } = self;
        let regions = before.generation.regions.len();
        let rates = Rates::of(samples, untouched, (before, after), load);
        let was = match load {
            Load::Total(_) => rates.settle(&samples.asker(kinds, before)),
            Load::Unknown | Load::Declared | Load::Measured(_) => untouched.clone(),
        };
        let is = rates.settle(&samples.asker(kinds, after));
        let (shares_before, shares_after) = (samples.shares(&was, regions), samples.shares(&is, regions));
        let told = |all: &[Option<f64>]| all.iter().map(|rps| (rps.unwrap_or(0.0), rps.is_some())).collect();
        let (rps_before, rps_after): (Vec<(f64, bool)>, _) = match load {
            Load::Unknown => (told(&vec![None; regions]), told(&vec![None; regions])),
            Load::Measured(all) => (told(all), rates.carried(&is)),
            Load::Declared | Load::Total(_) => (rates.carried(&was), rates.carried(&is)),
        };
        let each = before.generation.regions.iter().zip(shares_before.iter().zip(&shares_after)).enumerate();
        let regions = each.map(|(index, (region, (before, after)))| {
            let carried = |share: f64, all: &[(f64, bool)]| {
                let (rps, is_known) = all.get(index).copied().unwrap_or_default();
                Carried { share, rps, is_known }
            };
            RegionShift {
                region: RegionId::new(index),
                capacity: region.capacity,
                before: carried(*before, &rps_before),
                after: carried(*after, &rps_after),
            }
        });
        Shift {
            regions: regions.collect(),
            places: samples.places(demand, (&was, &is), before.generation.regions.len()),
            dark: samples.dark((kinds, before.generation), demand, (&was, &is)),
        }
    }
}

/// Requests a second of each sample.
struct Rates<'s> {
    samples: &'s [Sample],
    /// `None` where the load of the region that it comes from is not known.
    each: Vec<Option<f64>>,
    /// What is measured in a region though the demand sends nothing there, and stays: by region.
    stays: Vec<f64>,
}

impl<'s> Rates<'s> {
    fn of(
        samples: &'s Samples,
        untouched: &[Went],
        (before, after): (&Scene<'_>, &Scene<'_>),
        load: &Load,
    ) -> Self {
        let (samples, regions) = (&*samples.0, &before.generation.regions);
        let shares = shares(samples, untouched, regions.len());
        let mut rates = Self { samples, each: Vec::new(), stays: vec![0.0; regions.len()] };
        let measured: Vec<Option<f64>> = match load {
            Load::Unknown => vec![None; regions.len()],
            Load::Total(total) => {
                rates.each = samples.iter().map(|sample| Some(sample.share * total)).collect();
                return rates;
            }
            Load::Declared => regions.iter().map(|region| region.capacity.map(float)).collect(),
            Load::Measured(measured) => measured.clone(),
        };
        let of_region =
            |went: &Went| went.region.and_then(|region| measured.get(region.index()).copied().flatten());
        let rate = |(sample, went): (&Sample, &Went)| {
            // What nobody serves is no load.
            let Some(region) = went.region else { return Some(0.0) };
            let whole = shares.get(region.index()).copied().unwrap_or(0.0);
            Some(of_region(went)? * sample.share / whole)
        };
        rates.each = samples.iter().zip(untouched).map(rate).collect();
        if matches!(load, Load::Measured(_)) {
            rates.stray(&measured, &shares, after);
        }
        rates
    }

    /// Pinned sessions, or what a place that the demand does not know asks for: it stays where it is, or goes where all
    /// go.
    fn stray(&mut self, measured: &[Option<f64>], shares: &[f64], after: &Scene<'_>) {
        let mut spread = 0.0;
        let each = measured.iter().zip(shares).zip(&mut self.stays).enumerate();
        for (index, ((rps, share), stays)) in each {
            let Some(rps) = rps.filter(|_| *share <= 0.0) else { continue };
            *(if after.is_open(RegionId::new(index)) { stays } else { &mut spread }) += rps;
        }
        let whole: f64 = self.samples.iter().map(|sample| sample.share).sum();
        for (rate, sample) in self.each.iter_mut().zip(self.samples) {
            *rate = rate.map(|rate| rate + spread * sample.share / whole);
        }
    }

    /// Where the samples go once regions that are offered too much let the rest spill over.
    fn settle(&self, asker: &samples::Asker<'_>) -> Vec<Went> {
        let mut offered = vec![0.0; self.stays.len()];
        let mut went = asker.ask(&offered);
        for round in 0..ROUNDS {
            let mut next = self.stays.clone();
            for (rate, went) in self.each.iter().zip(&went) {
                for region in went.offered.iter() {
                    if let (Some(next), Some(rate)) = (next.get_mut(region), rate) {
                        *next += rate;
                    }
                }
            }
            // Two that hand on to each other meet halfway.
            if round > 0 {
                next.iter_mut()
                    .zip(&offered)
                    .for_each(|(next, before)| *next = f64::midpoint(*next, *before));
            }
            let is_settled = |(next, before): (&f64, &f64)| (next - before).abs() <= 0.005 * next;
            if !asker.spills(&next) || next.iter().zip(&offered).all(is_settled) {
                break;
            }
            offered = next;
            went = asker.ask(&offered);
        }
        went
    }

    /// By region: requests a second, and whether that is all.
    fn carried(&self, went: &[Went]) -> Vec<(f64, bool)> {
        let mut all: Vec<(f64, bool)> = self.stays.iter().map(|stays| (*stays, true)).collect();
        for (rate, went) in self.each.iter().zip(went) {
            let Some((rps, is_known)) = went.region.and_then(|region| all.get_mut(region.index())) else {
                continue;
            };
            match rate {
                Some(rate) => *rps += rate,
                None => *is_known = false,
            }
        }
        all
    }
}

fn shares(samples: &[Sample], went: &[Went], regions: usize) -> Vec<f64> {
    let mut shares = vec![0.0; regions];
    for (sample, went) in samples.iter().zip(went) {
        if let Some(share) = went.region.and_then(|region| shares.get_mut(region.index())) {
            *share += sample.share;
        }
    }
    shares
}

/// What the loss of a region does to the others, while every region that serves carries what it is declared for.
#[derive(Clone, Debug, PartialEq)]
pub struct Overload {
    /// The region that is lost.
    pub lost: RegionId,
    /// Where its requests go.
    pub shift: Shift,
}

/// For each region what its loss does; nothing where no capacity is declared.
#[must_use]
pub fn overloads(generation: &Generation) -> Vec<Overload> {
    if generation.regions.iter().all(|region| region.capacity.is_none()) {
        return Vec::new();
    }
    let before = Scene::well(generation, crate::Entrance::AtTheirPlace);
    let demand = Demand::even(generation);
    let survey = Survey::of(&before, &demand);
    let lose = |lost| Overload { lost, shift: survey.shift(&before.losing(&[lost]), &Load::Declared) };
    (0..generation.regions.len()).map(RegionId::new).map(lose).collect()
}

/// Exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no region carries 2^53 requests a second")]
fn float(number: u64) -> f64 {
    number as f64
}

/// In thousandths, for what is asked.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is neither negative nor above 2^53"
)]
fn thousandths(rps: f64) -> u64 {
    (rps * float(THOUSANDTHS)).round() as u64
}

#[cfg(test)]
mod tests;
