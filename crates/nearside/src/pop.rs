//! This PoP: what the command line says of it.

use anyhow::{Context, bail};
use nearside_core::place::{Country, Place, Position};
use nearside_proxy::live::Pop;

/// Reads a PoP's name and place.
///
/// # Errors
/// The name fits no header, or the place is none.
pub(crate) fn parse(name: &str, place: Option<&str>) -> anyhow::Result<Pop> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        bail!("--pop {name:?} is no name; use up to 64 letters, digits, `-`, `_` and `.`, as in `fra1`");
    }
    Ok(Pop { name: name.into(), place: place.map(parse_place).transpose()? })
}

/// Reads a place: `DE`, or `DE,50.11,8.68`.
///
/// # Errors
/// It is none.
pub(crate) fn parse_place(text: &str) -> anyhow::Result<Place> {
    let remedy = || {
        format!(
            "--place {text:?} is no place; write a country and, if you like, a position: DE or DE,50.11,8.68"
        )
    };
    let mut parts = text.split(',').map(str::trim);
    let country = parts.next().and_then(Country::parse).with_context(remedy)?;
    let degrees: Vec<f64> = parts.map(str::parse).collect::<Result<_, _>>().with_context(remedy)?;
    let position = match degrees.as_slice() {
        [] => country.position(),
        [lat, lon] => Some(Position::new(*lat, *lon).with_context(remedy)?),
        _ => bail!(remedy()),
    };
    Ok(Place { position, ..Place::of(country) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_country_with_or_without_a_position() {
        let middle = parse("fra1", Some("DE")).unwrap().place.unwrap();
        assert_eq!((middle.country.as_str(), middle.position.is_some()), ("DE", true));
        let exact = parse("fra1", Some("de, 50.11, 8.68")).unwrap().place.unwrap();
        assert_eq!(exact.position, Position::new(50.11, 8.68));
        assert_eq!(parse("fra1", None).unwrap().place, None);
    }

    #[test]
    fn what_is_no_place_or_name_says_how_to_write_one() {
        for place in ["Germany", "DE,50.11", "DE,1,2,3", "DE,91,0", "DE,north,8", ""] {
            assert!(parse("fra1", Some(place)).unwrap_err().to_string().contains("DE,50.11,8.68"), "{place}");
        }
        for name in ["", "fra 1", "fra\r\n1", &"x".repeat(65)] {
            assert!(parse(name, None).unwrap_err().to_string().contains("is no name"), "{name}");
        }
    }
}
