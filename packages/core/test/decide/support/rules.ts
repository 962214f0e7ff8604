/**
 * What must always hold, as an oracle that knows rows and events and nothing of how decisions are made. Each rule carries the number of
 * its line in the design.
 */
export { countsAreExact, limitHolds, pausesHold, tokensGrow } from './capacity-rules.ts'
export { budgetHolds, moreIsSaid } from './commit-rules.ts'
export { endsComplete, orderHolds, placesAreKept } from './order-rules.ts'
export { holdersAreAlive, leasesAreKept, losersAreTold, repetitionsAgree } from './ownership-rules.ts'
export { endedTicketsStayEnded, nothingIsLost, statesGoForward } from './run-rules.ts'
