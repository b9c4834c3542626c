//! A question: why would this request go there?

use crate::explanation;
use anyhow::{Context, anyhow};
use nearside_core::random::Random;
use nearside_core::{Choice, Evidence, FullTrace, Host, Input, Tried, decide};
use nearside_proxy::supposed::{Reading, Supposed, Wording};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The request that is asked about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// Its host.
    pub(crate) host: String,
    /// Its path, with or without a query.
    pub(crate) path: String,
    /// Its method.
    pub(crate) method: String,
    /// Its client.
    pub(crate) client: IpAddr,
    /// The value that names its home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) home: Option<String>,
    /// Its fields, `name: value` a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) fields: String,
    /// Chance, as a number.
    pub(crate) seed: u64,
}

/// One thing that becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// What.
    pub(crate) choice: Choice,
    /// Which part of such requests it becomes of.
    pub(crate) share: f64,
    /// The turn of one of them.
    pub(crate) turn: u64,
}

impl Question {
    /// What becomes of `of` such requests that differ by chance alone, the most frequent first; `evidence` is that of
    /// each turn.
    ///
    /// # Errors
    /// The host is none, or the request is malformed.
    pub(crate) fn shares<E: Evidence>(
        &self,
        reading: &Reading<'_>,
        evidence: impl Fn(u64) -> E,
        of: u32,
    ) -> anyhow::Result<Vec<Outcome>> {
        let mut found: Vec<(Choice, u32, u64)> = Vec::new();
        for turn in (0..of).map(u64::from) {
            let asked = self.at(turn);
            let (seed, supposed) = (asked.seed, asked.supposed(reading)?);
            let mut facts = supposed.facts();
            facts.home = self.home.as_deref().or(facts.home);
            let (tried, generation, now) = (Tried::default(), reading.generation, reading.now);
            let evidence = &evidence(turn);
            let input = Input { facts: &facts, tried: &tried, generation, evidence, now, seed };
            let choice = decide(&input, &mut ());
            match found.iter_mut().find(|(known, ..)| *known == choice) {
                Some((_, count, _)) => *count += 1,
                None => found.push((choice, 1, turn)),
            }
        }
        found.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        let share = |count: u32| f64::from(count) / f64::from(of.max(1));
        Ok(found
            .into_iter()
            .map(|(choice, count, turn)| Outcome { choice, share: share(count), turn })
            .collect())
    }

    /// The same request at that turn, by another chance.
    pub(crate) fn at(&self, turn: u64) -> Self {
        Self { seed: Random::new(turn).draw(), ..self.clone() }
    }

    fn supposed(&self, reading: &Reading<'_>) -> anyhow::Result<Supposed> {
        Host::parse(&self.host).with_context(|| format!("{:?} is no host name", self.host))?;
        let wording = Wording {
            host: &self.host,
            path: &self.path,
            method: &self.method,
            fields: &self.fields,
            peer: self.client,
            number: self.seed,
        };
        Supposed::read(&wording, reading)
            .map_err(|refusal| anyhow!("such a request is refused as malformed: {refusal}"))
    }

    /// The decision by `reading` and `evidence`, with all that was said on the way.
    ///
    /// # Errors
    /// The host is none, or the request is malformed.
    pub(crate) fn answer(
        &self,
        reading: &Reading<'_>,
        pop: Option<&str>,
        evidence: &impl Evidence,
    ) -> anyhow::Result<(Value, Choice)> {
        let supposed = self.supposed(reading)?;
        let mut facts = supposed.facts();
        facts.home = self.home.as_deref().or(facts.home);
        let (tried, generation, now) = (Tried::default(), reading.generation, reading.now);
        let input = Input { facts: &facts, tried: &tried, generation, evidence, now, seed: self.seed };
        let mut trace = FullTrace::default();
        let choice = decide(&input, &mut trace);
        let mut told = explanation::tell(generation, &facts, choice, &trace);
        if let Some(request) = told.get_mut("request").and_then(Value::as_object_mut) {
            let doubts = supposed.doubts().map(|(claim, why)| json!({ "claim": claim, "why": why }));
            request.insert("pop".to_owned(), json!(pop));
            request.insert("disbelieved".to_owned(), doubts.collect());
        }
        Ok((told, choice))
    }
}
