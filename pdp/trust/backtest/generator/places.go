package generator

// place is a city or a country's middle.
type place struct {
	name      string // of a city; a country's code elsewhere
	lat, lon  float64
	weight    float64 // people, in hundred thousands; Internet users, in millions
	region    int     // of a mobile carrier
	zone      int     // minutes east of UTC
	neighbour int     // index of the city that people commute from
}

// homeCountry is where the people live.
const homeCountry = "TW"

const homeZone = 480

// regions of mobile carriers: north, middle, south, east.
const regions = 4

// cities of Taiwan by population (2025, rounded).
func cities() []place {
	return []place{
		{"Taipei", 25.04, 121.56, 25, 0, homeZone, 1},
		{"New Taipei", 25.01, 121.46, 40, 0, homeZone, 0},
		{"Taoyuan", 24.99, 121.30, 23, 0, homeZone, 1},
		{"Hsinchu", 24.80, 120.97, 10, 0, homeZone, 2},
		{"Keelung", 25.13, 121.74, 4, 0, homeZone, 1},
		{"Yilan", 24.75, 121.75, 4, 0, homeZone, 0},
		{"Miaoli", 24.56, 120.82, 5, 1, homeZone, 3},
		{"Taichung", 24.15, 120.67, 29, 1, homeZone, 8},
		{"Changhua", 24.08, 120.54, 12, 1, homeZone, 7},
		{"Nantou", 23.91, 120.68, 5, 1, homeZone, 7},
		{"Yunlin", 23.71, 120.43, 7, 1, homeZone, 11},
		{"Chiayi", 23.48, 120.45, 7, 2, homeZone, 10},
		{"Tainan", 22.99, 120.21, 19, 2, homeZone, 13},
		{"Kaohsiung", 22.63, 120.30, 27, 2, homeZone, 12},
		{"Pingtung", 22.67, 120.49, 8, 2, homeZone, 13},
		{"Hualien", 23.99, 121.60, 3, 3, homeZone, 16},
		{"Taitung", 22.76, 121.14, 2, 3, homeZone, 15},
		{"Penghu", 23.57, 119.58, 1, 2, homeZone, 13},
	}
}

// countries are those that attackers and travellers come from, by Internet
// users (ITU, rounded).
func countries() []place {
	return []place{
		{name: "CN", lat: 35, lon: 105, weight: 1050, zone: 480}, {name: "IN", lat: 20, lon: 77, weight: 800, zone: 330},
		{name: "US", lat: 38, lon: -97, weight: 310, zone: -300}, {name: "ID", lat: -5, lon: 120, weight: 210, zone: 420},
		{name: "BR", lat: -10, lon: -55, weight: 180, zone: -180}, {name: "RU", lat: 56, lon: 38, weight: 125, zone: 180},
		{name: "PK", lat: 30, lon: 70, weight: 110, zone: 300}, {name: "NG", lat: 10, lon: 8, weight: 110, zone: 60},
		{name: "JP", lat: 36, lon: 138, weight: 105, zone: 540}, {name: "MX", lat: 23, lon: -102, weight: 100, zone: -360},
		{name: "PH", lat: 13, lon: 122, weight: 85, zone: 480}, {name: "VN", lat: 16, lon: 108, weight: 78, zone: 420},
		{name: "DE", lat: 51, lon: 10, weight: 78, zone: 60}, {name: "TR", lat: 39, lon: 35, weight: 72, zone: 180},
		{name: "IR", lat: 32, lon: 53, weight: 70, zone: 210}, {name: "GB", lat: 54, lon: -2, weight: 66, zone: 0},
		{name: "TH", lat: 15, lon: 100, weight: 62, zone: 420}, {name: "FR", lat: 46, lon: 2, weight: 60, zone: 60},
		{name: "KR", lat: 37, lon: 127.5, weight: 50, zone: 540}, {name: "UA", lat: 49, lon: 32, weight: 31, zone: 120},
		{name: "NL", lat: 52, lon: 5, weight: 17, zone: 60}, {name: "RO", lat: 46, lon: 25, weight: 17, zone: 120},
		{name: "KP", lat: 40, lon: 127, weight: 1, zone: 540}, {name: "HK", lat: 22.3, lon: 114.2, weight: 7, zone: 480},
		{name: "SG", lat: 1.3, lon: 103.8, weight: 5.5, zone: 480},
	}
}

// destinations are where people travel to, by weight.
func destinations() map[string]float64 {
	return map[string]float64{"JP": 0.45, "KR": 0.1, "VN": 0.08, "TH": 0.1, "SG": 0.06, "HK": 0.08, "US": 0.08, "DE": 0.05}
}
