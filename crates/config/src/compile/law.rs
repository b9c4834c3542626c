//! Geo, residency and homes.

use super::place;
use crate::document::{self, Document, GeoRule, Residency as Declared, UnknownHome};
use crate::scalar::Name;
use foldhash::HashMap;
use nearside_core::candidates::Set;
use nearside_core::generation::Geo;
use nearside_core::home::{Home, HomeKey, HomeSource, Subject};
use nearside_core::place::{Area, ByArea};
use nearside_core::residency::{Class, Residency};
use nearside_core::{ClassId, RegionId};

pub(super) fn geo(geo: &document::Geo) -> Geo {
    Geo {
        tables: geo.tables.iter().cloned().collect(),
        overrides: geo.overrides.0.iter().map(|(network, at)| (*network, place(at))).collect(),
        canaries: geo.canaries.0.iter().copied().collect(),
        max_age: geo.max_age.0,
    }
}

pub(super) fn classes(document: &Document) -> Box<[Class]> {
    let class = |(name, class): &(Name, document::Class)| {
        let allows = |has: &Name| class.allow.0.contains(has);
        let mut regions = Set::default();
        for (index, (_, region)) in document.regions.0.iter().enumerate() {
            if region.jurisdictions.iter().any(allows) {
                regions.insert(index);
            }
        }
        Class {
            name: (&*name.0).into(),
            allow: class.allow.0.iter().map(|name| (&*name.0).into()).collect(),
            regions,
            survive: u16::try_from(class.survive.0).unwrap_or(u16::MAX),
            unknown: class.unknown,
        }
    };
    document.residency.0.iter().map(class).collect()
}

/// The names that routes use. The check saw to it that all are declared.
pub(super) struct Law<'a> {
    regions: HashMap<&'a str, RegionId>,
    classes: HashMap<&'a str, ClassId>,
}

impl<'a> Law<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        let regions = document.regions.0.iter().enumerate();
        let classes = document.residency.0.iter().enumerate();
        Self {
            regions: regions.map(|(index, (name, _))| (&*name.0, RegionId::new(index))).collect(),
            classes: classes.map(|(index, (name, _))| (&*name.0, ClassId::new(index))).collect(),
        }
    }

    pub(super) fn home(&self, declared: &document::Home) -> Home {
        let from = declared.from.0.iter().filter_map(|source| {
            let cookie = source.cookie.as_ref().map(|name| HomeSource::Cookie(name.0.clone()));
            let header = source.header.as_ref().map(|name| HomeSource::Header(name.0.clone()));
            let jwt = source.jwt.as_ref().map(|jwt| {
                let (header, claim) = (jwt.header.0.clone(), jwt.claim.0.clone());
                HomeSource::Jwt { header, claim }
            });
            cookie.or(header).or(jwt)
        });
        let map = declared.map.0.iter();
        let verify = declared.verify.as_ref().and_then(|verify| {
            let public = || verify.public_key_file.clone().map(HomeKey::Public);
            verify.hmac_key_file.clone().map(HomeKey::Hmac).or_else(public)
        });
        let subject =
            declared.verify.as_ref().and_then(|verify| verify.subject.as_ref()).and_then(|subject| {
                let header = subject.header.as_ref().map(|name| Subject::Header(name.0.clone()));
                subject.cookie.as_ref().map(|name| Subject::Cookie(name.0.clone())).or(header)
            });
        Home {
            from: from.collect(),
            map: map
                .filter_map(|(value, region)| Some((value.0.clone(), *self.regions.get(&*region.0)?)))
                .collect(),
            verify,
            subject,
            refuse_unknown: declared.unknown == UnknownHome::Refuse,
        }
    }

    pub(super) fn geo(&self, rules: &[GeoRule]) -> ByArea<Box<[Set]>> {
        let entry = |rule: &GeoRule| -> Box<[Set]> {
            let set = |names: &[Name]| {
                let mut set = Set::default();
                let ids = names.iter().filter_map(|name| self.regions.get(&*name.0));
                ids.for_each(|id| set.insert(id.index()));
                set
            };
            rule.to.0.iter().map(|equals| set(&equals.0)).collect()
        };
        let each = rules.iter().flat_map(|rule| {
            let to = entry(rule);
            rule.areas().into_iter().map(move |area| (area, to.clone()))
        });
        ByArea::new(each.collect())
    }

    pub(super) fn residency(&self, declared: Option<&Declared>) -> Residency {
        let class = |name: &Name| self.classes.get(&*name.0).copied();
        match declared {
            None => Residency::None,
            Some(Declared::Class(name)) => class(name).map_or(Residency::None, Residency::Always),
            Some(Declared::Chosen(rules)) => {
                let each = rules.0.iter().flat_map(|rule| {
                    let class = class(&rule.class);
                    rule.areas().into_iter().filter_map(move |area| Some((area, class?)))
                });
                let by_area = ByArea::new(each.collect::<Vec<(Area, ClassId)>>());
                let homes = rules.0.iter();
                let homes =
                    homes.filter_map(|rule| Some((rule.home.as_ref()?.0.clone(), class(&rule.class)?)));
                Residency::Chosen { by_area, by_home: homes.collect() }
            }
        }
    }
}
