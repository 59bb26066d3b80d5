export const colours = ['red', 'blue'];
