//! `nearside simulate`: where would the traffic go without a region, and can what is left carry it?

use crate::args::SimulateArgs;
use crate::file::Loaded;
use crate::{Done, client, file, forecast, measured, out, pop, state};
use anyhow::{Context, bail};
use nearside_core::{Generation, RegionId};
use nearside_whatif::{Demand, Entrance, Load, Scene, Shift, mark};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Prints where each place's requests go before and after; fails where a region would be overloaded, or nothing is left.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<Done> {
    let status = if args.live {
        let folder = state::folder(args.state.state_dir.as_deref())?;
        let Some(status) = client::status(&folder)? else { bail!(client::nobody(&folder)) };
        Some(status)
    } else {
        None
    };
    let path = match &status {
        Some(status) => PathBuf::from(status["file"].as_str().context("the running nearside names no file")?),
        None => args.file.clone(),
    };
    let Some(Loaded { generation, .. }) = file::load_or_tell(&path)? else { return Ok(Done::Refused) };
    let (told, fails) = simulate(&generation, args, status.as_ref())?;
    if args.json {
        out::json(&told);
    } else {
        out::text(&forecast::draw(&told));
    }
    Ok(if fails { Done::Refused } else { Done::Fine })
}

fn simulate(
    generation: &Generation,
    args: &SimulateArgs,
    status: Option<&Value>,
) -> anyhow::Result<(Value, bool)> {
    let lost = args.lose.iter().map(|name| region(generation, name)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut marked = generation.clone();
    for name in &args.drain {
        if !mark(&mut marked, name, "supposed by --drain") {
            bail!("--drain {name}: no region or backend has this name");
        }
    }
    let (before, load) = match status {
        Some(status) => (measured::scene(status, generation), measured::load(status, generation)),
        None => (Scene::well(generation, entrance(args)?), load(generation, args)),
    };
    let after = Scene { generation: &marked, ..before.clone() }.losing(&lost);
    let demand =
        if args.demand.is_empty() { Demand::even(generation) } else { Demand::of(generation, &args.demand) };
    let shift = Shift::between(&before, &after, &demand, &load);
    let mut told = forecast::tell(generation, &shift, &load);
    if let Some(fields) = told.as_object_mut() {
        fields.insert("lost".to_owned(), json!(args.lose));
        fields.insert("drained".to_owned(), json!(args.drain));
    }
    Ok((told, !shift.dark.is_empty() || shift.overloaded().next().is_some()))
}

fn region(generation: &Generation, name: &str) -> anyhow::Result<RegionId> {
    let found = generation.regions.iter().position(|region| &*region.name == name);
    found.map(RegionId::new).with_context(|| {
        let known: Vec<&str> = generation.regions.iter().map(|region| &*region.name).collect();
        format!(
            "--lose {name}: no region has this name; there are {} (the file stands before --lose)",
            known.join(", ")
        )
    })
}

fn entrance(args: &SimulateArgs) -> anyhow::Result<Entrance> {
    let Some(place) = args.place.as_deref() else { return Ok(Entrance::AtTheirPlace) };
    let position = pop::parse_place(place)?.position;
    Ok(position.map_or(Entrance::AtTheirPlace, Entrance::At))
}

fn load(generation: &Generation, args: &SimulateArgs) -> Load {
    match args.rps {
        Some(rps) => Load::Total(rps),
        None if generation.regions.iter().any(|region| region.capacity.is_some()) => Load::Declared,
        None => Load::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    const FILE: &str = "\
version: 1
regions:
  fra: { place: { country: DE }, capacity: 40000 rps, jurisdictions: [EU] }
  dub: { place: { country: IE }, capacity: 30000 rps, jurisdictions: [EU] }
  iad: { place: { country: US }, jurisdictions: [US] }
residency: { eu-only: { allow: [EU] } }
pools:
  web:
    backends:
      - { id: f, url: \"http://127.0.0.1:1\", region: fra }
      - { id: d, url: \"http://127.0.0.1:2\", region: dub }
      - { id: i, url: \"http://127.0.0.1:3\", region: iad }
routes:
  - { host: www.example.com, pool: web, residency: [{ group: GDPR, class: eu-only }] }
listeners: [{ bind: \"127.0.0.1:8443\" }]
";

    /// The tables, their blanks folded, and whether it fails.
    fn told(words: &[&str]) -> (String, bool) {
        let words = [&["nearside", "simulate"], words].concat();
        let Command::Simulate(args) = Args::try_parse_from(words).unwrap().command else { panic!() };
        let (generation, ..) = nearside_config::load(FILE).unwrap();
        let (told, fails) = simulate(&generation, &args, None).unwrap();
        let lines = forecast::draw(&told);
        let folded = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n");
        (folded.collect(), fails)
    }

    #[test]
    fn shares_and_loads_stand_before_and_after_against_capacity() {
        let demand = ["--demand", "country:DE=60,country:US=40", "--rps", "30000"];
        let (said, fails) = told(&[&["--lose", "fra"], &demand[..]].concat());
        assert_eq!(
            said,
            "PLACE DEMAND NOW GOES TO WOULD GO TO\n\
             country DE 60 % fra 50 %, dub 50 % dub 100 %\n\
             country US 40 % iad 100 % iad 100 %\n\n\
             REGION NOW WOULD BE CAPACITY\n\
             fra 9000 rps 0 rps 40000 rps\n\
             dub 9000 rps 18000 rps 30000 rps\n\
             iad 12000 rps 12000 rps unknown\n\n\
             (at 30000 requests a second in all; shares are right to about a percent)\n"
        );
        assert!(!fails);
    }

    #[test]
    fn what_is_too_much_or_goes_dark_fails_with_figures() {
        let (said, fails) = told(&["--lose", "fra", "--demand", "country:DE=1", "--rps", "31000"]);
        assert!(
            said.contains("dub would get 31000 requests a second, and is declared for 30000\n"),
            "{said}"
        );
        assert!(fails);
        let (said, fails) = told(&["--lose", "fra", "dub"]);
        assert!(
            said.contains(
                "class eu-only would go dark: nothing that is well would be left to serve www.example.com/* (from group GDPR)"
            ),
            "{said}"
        );
        assert!(said.contains("NOT SERVED 100 %") && fails, "{said}");
        let (said, fails) = told(&["--drain", "fra,dub"]);
        assert!(said.contains("would go dark") && fails, "{said}");
    }

    #[test]
    fn what_is_not_declared_is_not_known() {
        let (said, fails) = told(&["--lose", "fra", "dub", "--demand", "country:US=1"]);
        assert!(said.contains("iad 100 % 100 % unknown"), "{said}");
        assert!(!fails, "{said}");
        let (said, _) = told(&["--lose", "iad"]);
        assert!(said.contains("unknown") && said.contains("is not known"), "{said}");
    }

    #[test]
    fn a_name_that_does_not_exist_is_told_with_those_that_do() {
        let (generation, ..) = nearside_config::load(FILE).unwrap();
        let error = region(&generation, "francfort").unwrap_err().to_string();
        assert!(error.contains("there are fra, dub, iad"), "{error}");
    }
}
