package sales

import "strings"

// currencies are the codes of ISO 4217 that are money in use; those with another minor unit than a
// hundredth are in minorUnits.
const currencies = " AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN" +
	" BWP BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL" +
	" GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD" +
	" KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK" +
	" NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP" +
	" STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VED VES VND VUV WST XAF XCD" +
	" XCG XOF XPF YER ZAR ZMW ZWG "

const minorUnits = " BIF0 CLP0 DJF0 GNF0 ISK0 JPY0 KMF0 KRW0 PYG0 RWF0 UGX0 UYI0 VND0 VUV0 XAF0 XOF0 XPF0" +
	" BHD3 IQD3 JOD3 KWD3 LYD3 OMR3 TND3 CLF4 UYW4 "

// exponent is the number of decimals of a currency's minor unit.
func exponent(code string) (int, bool) {
	if len(code) != 3 || !strings.Contains(currencies, " "+code+" ") {
		return 0, false
	}
	if i := strings.Index(minorUnits, " "+code); i >= 0 {
		return int(minorUnits[i+4] - '0'), true
	}
	return 2, true
}
