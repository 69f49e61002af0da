// Package theme turns six values of the configuration into what pages look like:
// a name, a logo, and four colours. It lets nothing through that people could not
// read, and no logo that loads or runs anything. It knows neither pages nor HTTP.
// Start at New.
package theme
