//! Homes: the values by which users say where their data lives, and who has signed them.

use crate::identity::Identity;
use crate::problem::{Findings, Problem, Warning};
use crate::token::Token;
use crate::verifier::Verifier;
use nearside_core::home::HomeKey;
use nearside_core::{Generation, Route, RouteId};
use std::collections::HashMap;
use std::sync::Arc;

/// Why a value is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doubt {
    /// No key of ours has signed it.
    Forged,
    /// It is no longer good, or not yet.
    Expired,
}

/// The keys that homes of a generation are verified with.
#[derive(Debug, Default)]
pub struct Homes {
    by_route: Box<[Option<Arc<Verifier>>]>,
    identity: Identity,
}

impl Homes {
    /// Reads the keys of every route of `generation`.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn load(generation: &Generation) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let (mut findings, mut identities) = (Findings::default(), Vec::new());
        // Routes that share a key read it once, and report it once: at the first of them.
        let mut read: HashMap<&HomeKey, Option<Arc<Verifier>>> = HashMap::new();
        let verifier = |(index, route)| {
            let key = key(route)?;
            let known = read.entry(key).or_insert_with(|| match Verifier::load(key, &key_path(index, key)) {
                Ok((verifier, warning)) => {
                    findings.warnings.extend(warning);
                    Some(Arc::new(verifier))
                }
                Err(problems) => {
                    findings.problems.extend(problems);
                    None
                }
            });
            identities.extend(known.as_ref().map(|verifier| verifier.identity));
            known.clone()
        };
        let by_route = generation.routes.routes().iter().enumerate().map(verifier).collect();
        findings.conclude(Self { by_route, identity: Identity::of(identities) })
    }

    /// Equal where the keys are equal.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The value that `text` says, of a route that takes any or wants it signed as `value.signature`: alone, or for
    /// `subject`.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn value<'v>(&self, route: RouteId, text: &'v str, subject: Option<&[u8]>) -> Result<&'v str, Doubt> {
        self.verifier(route).map_or(Ok(text), |verifier| verifier.value(text, subject))
    }

    /// What the token `text` says under `claim`, at `now` in seconds since the Unix epoch; `None` where it is no token
    /// or does not say.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn claim(&self, route: RouteId, text: &str, claim: &str, now: u64) -> Result<Option<String>, Doubt> {
        let Some(token) = Token::parse(text) else { return Ok(None) };
        let signed = self.verifier(route).is_none_or(|verifier| verifier.signed(&token));
        if signed { token.claim(claim, now) } else { Err(Doubt::Forged) }
    }

    fn verifier(&self, route: RouteId) -> Option<&Verifier> {
        self.by_route.get(route.index())?.as_deref()
    }
}

fn key(route: &Route) -> Option<&HomeKey> {
    route.home.as_ref()?.verify.as_ref()
}

/// Where `routes.yaml` names the key of a route.
fn key_path(route: usize, key: &HomeKey) -> String {
    let name = match key {
        HomeKey::Hmac(_) => "hmac_key_file",
        HomeKey::Public(_) => "public_key_file",
    };
    format!("routes[{route}].home.verify.{name}")
}
